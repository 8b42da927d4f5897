package agent

import (
	"net/http"
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Credential is one credential for a local caller.
type Credential struct {
	protocol.CredentialInfo

	Value secret.String
}

func denied(detail string) *protocol.Problem {
	return &protocol.Problem{Status: http.StatusForbidden, Code: protocol.CodeDenied, Detail: detail}
}

func unavailable(detail string) *protocol.Problem {
	return &protocol.Problem{Status: http.StatusServiceUnavailable, Code: protocol.CodeUnavailable, Detail: detail}
}

// servable returns why nothing at all can be served now, or nil. The mutex is held.
func (d *Daemon) servable(now time.Time) error {
	v := &d.v
	switch {
	case !v.loaded:
		return unavailable(v.reason)
	case v.session.Ended != nil:
		return denied("the owner revoked this agent")
	case !v.session.CanServe():
		return unavailable("this session has no device keys: run `agentkeys-daemon recover " + d.c.Wallet.String() + " --broker URL`")
	case v.manifest == nil:
		return unavailable("the broker has not been heard yet")
	case v.expired(now, d.c.ClockSynced):
		return unavailable("the broker has been away for longer than the owner allows")
	}
	return nil
}

// Credential returns one credential in scope. Errors are *protocol.Problem: 403
// denied (out of scope, revoked), 404 not_found, 503 unavailable.
func (d *Daemon) Credential(service string) (Credential, error) {
	now := time.Now()
	d.mu.RLock()
	defer d.mu.RUnlock()
	v := &d.v
	if v.outOfScope(service) {
		return Credential{}, denied("this service is not in the agent's scope")
	}
	if err := d.servable(now); err != nil {
		return Credential{}, err
	}
	h, ok := v.records[service]
	if ok {
		about := protocol.CredentialInfo{Service: service, Revision: h.entry.Revision, AgeSeconds: v.lease.age(now)}
		return Credential{CredentialInfo: about, Value: h.value}, nil
	}
	if _, listed := v.manifest.Entry(service); listed {
		return Credential{}, unavailable("the broker has not sent this credential yet")
	}
	return Credential{}, &protocol.Problem{Status: http.StatusNotFound, Code: protocol.CodeNotFound, Detail: "there is no credential of this name"}
}

// outOfScope asks the owner's manifest, and before the first one the session. A
// revoked agent is told that it is revoked.
func (v *view) outOfScope(service string) bool {
	switch {
	case !v.loaded || v.session.Ended != nil || !v.session.CanServe():
		return false
	case v.manifest != nil:
		return !v.manifest.Scope.Allows(service)
	}
	return !v.session.Scope.Allows(service)
}

// Credentials lists what is in scope, without values.
func (d *Daemon) Credentials() ([]protocol.CredentialInfo, error) {
	now := time.Now()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := d.servable(now); err != nil {
		return nil, err
	}
	age := d.v.lease.age(now)
	list := []protocol.CredentialInfo{}
	for _, e := range d.v.manifest.Served() {
		list = append(list, protocol.CredentialInfo{Service: e.Service, Revision: e.Revision, AgeSeconds: age})
	}
	return list, nil
}

// Session describes the session; never its token. 503 while none is loaded.
func (d *Daemon) Session() (protocol.LocalSession, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.v.loaded {
		return protocol.LocalSession{}, unavailable(d.v.reason)
	}
	s := d.v.session
	return protocol.LocalSession{
		Wallet: s.Wallet, Scope: s.Scope, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt(),
		Generation: d.v.info.Generation, StorageBackend: d.v.info.Backend,
	}, nil
}

// Status says how the daemon is; it never fails.
func (d *Daemon) Status() protocol.Status {
	now := time.Now()
	conditions := d.c.Conditions.Active()
	d.mu.RLock()
	defer d.mu.RUnlock()
	v := &d.v
	out := protocol.Status{
		Wallet: d.c.Wallet, State: v.state(), Broker: v.broker,
		Storage:    protocol.StatusStorage{Backend: d.backend(), KeychainState: d.c.KeychainState()},
		Sync:       protocol.StatusSync{Last: v.lease.contact, AgeSeconds: v.lease.age(now), Online: v.online},
		Conditions: []protocol.StatusCondition{},
	}
	if v.loaded {
		s := v.session
		out.Session = &protocol.StatusSession{Scope: s.Scope, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt(), Generation: v.info.Generation}
	}
	for _, c := range conditions {
		out.Conditions = append(out.Conditions, statusCondition(c))
	}
	return out
}

func (d *Daemon) backend() words.Backend {
	if !d.v.loaded {
		return words.BackendNone
	}
	return d.v.info.Backend
}

func statusCondition(c health.Active) protocol.StatusCondition {
	message := c.Message
	if c.Detail != "" {
		message += ": " + c.Detail
	}
	return protocol.StatusCondition{Code: string(c.Code), Severity: string(c.Severity), Message: message, Hint: c.Hint}
}

// Ready reports whether credentials can be served now, and what is wrong, as codes.
func (d *Daemon) Ready() (ok bool, reasons []string) {
	active := d.c.Conditions.Active()
	now := time.Now()
	d.mu.RLock()
	defer d.mu.RUnlock()
	ok, reasons = health.Ready(d.v.state(), active)
	first := !d.v.fetched && len(d.v.missing()) > 0 // a moment after the first start
	return ok && !first && d.servable(now) == nil, reasons
}

// statusLine is one line for `systemctl status`.
func (v *view) statusLine() string {
	switch v.state() {
	case words.StateWaitingForKeychain:
		return v.reason
	case words.StateBlocked:
		return "blocked: " + v.reason
	case words.StateRevoked:
		return "revoked by the owner: nothing is served"
	case words.StateParked:
		return "parked, another device uses a copy of this session: serving " + served(v) + ", and nothing new"
	case words.StateOnline:
		return "online: serving " + served(v)
	case words.StateOffline:
		if v.over {
			return "offline for longer than the owner allows: nothing is served"
		}
		return "offline: serving " + served(v)
	}
	switch {
	case !v.loaded:
		return "starting: " + v.reason
	case v.over:
		return "starting: nothing is served until the broker answers"
	}
	return "starting: the broker has not answered yet, serving " + served(v)
}

// served says how many, and not which: anyone on the host may read this.
func served(v *view) string {
	switch {
	case !v.session.CanServe():
		return "nothing"
	case v.manifest == nil:
		return "nothing yet"
	}
	if n := len(v.records); n != 1 {
		return strconv.Itoa(n) + " credentials"
	}
	return "1 credential"
}
