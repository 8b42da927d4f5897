package agent

import (
	"net/http"
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

// servable returns why nothing at all can be served now, or nil.
func (d *Daemon) servable(f facts, now time.Time) error {
	switch {
	case !f.loaded:
		return unavailable(f.reason)
	case f.session.ended:
		return denied("the owner revoked this agent")
	case !f.session.canServe:
		return unavailable("this session has no device keys: run `agentkeys-daemon recover " + d.wallet.String() + " --broker URL`")
	case f.manifest == nil:
		return unavailable("the broker has not been heard yet")
	case f.expired(now, d.synced):
		return unavailable("the broker has been away for longer than the owner allows")
	}
	return nil
}

// Credential returns one credential in scope. Errors are *protocol.Problem: 403
// denied (out of scope, revoked), 404 not_found, 503 unavailable.
func (d *Daemon) Credential(service string) (Credential, error) {
	now := time.Now()
	f := d.view.now()
	if f.outOfScope(service) {
		return Credential{}, denied(protocol.DetailScope)
	}
	if err := d.servable(f, now); err != nil {
		return Credential{}, err
	}
	h, ok := f.records[service]
	if ok {
		about := protocol.CredentialInfo{Service: service, Revision: h.entry.Revision, AgeSeconds: f.lease.age(now)}
		return Credential{CredentialInfo: about, Value: h.value}, nil
	}
	if _, listed := f.manifest.Entry(service); listed {
		return Credential{}, unavailable("the broker has not sent this credential yet")
	}
	return Credential{}, &protocol.Problem{Status: http.StatusNotFound, Code: protocol.CodeNotFound, Detail: "there is no credential of this name"}
}

// outOfScope asks the owner's manifest, and before the first one the session. A
// revoked agent is told that it is revoked.
func (f facts) outOfScope(service string) bool {
	switch {
	case !f.loaded || f.session.ended || !f.session.canServe:
		return false
	case f.manifest != nil:
		return !f.manifest.Scope.Allows(service)
	}
	return !f.session.scope.Allows(service)
}

// Credentials lists what is in scope, without values.
func (d *Daemon) Credentials() ([]protocol.CredentialInfo, error) {
	now := time.Now()
	f := d.view.now()
	if err := d.servable(f, now); err != nil {
		return nil, err
	}
	age := f.lease.age(now)
	list := []protocol.CredentialInfo{}
	for _, e := range f.manifest.Served() {
		list = append(list, protocol.CredentialInfo{Service: e.Service, Revision: e.Revision, AgeSeconds: age})
	}
	return list, nil
}

// Session describes the session; never its token. 503 while none is loaded.
func (d *Daemon) Session() (protocol.LocalSession, error) {
	f := d.view.now()
	if !f.loaded {
		return protocol.LocalSession{}, unavailable(f.reason)
	}
	s := f.session
	return protocol.LocalSession{
		Wallet: s.wallet, Scope: s.scope, CreatedAt: s.createdAt, ExpiresAt: s.expiresAt,
		Generation: s.generation, StorageBackend: s.backend,
	}, nil
}

// Status says how the daemon is; it never fails.
func (d *Daemon) Status() protocol.Status {
	now := time.Now()
	conditions := d.conditions.Active()
	f := d.view.now()
	sync := protocol.StatusSync{Last: f.lease.contact, AgeSeconds: f.lease.age(now), Online: f.online}
	if sync.Last == 0 && sync.AgeSeconds >= 0 { // the clock is not to be believed for the lease
		sync.Last = now.Unix() - sync.AgeSeconds
	}
	out := protocol.Status{
		Wallet: d.wallet, State: f.state(), Broker: f.broker,
		Storage:    protocol.StatusStorage{Backend: f.backend(), KeychainState: d.keychainState()},
		Sync:       sync,
		Conditions: []protocol.StatusCondition{},
	}
	if f.loaded {
		s := f.session
		out.Session = &protocol.StatusSession{Scope: s.scope, CreatedAt: s.createdAt, ExpiresAt: s.expiresAt, Generation: s.generation}
	}
	for _, c := range conditions {
		out.Conditions = append(out.Conditions, statusCondition(c))
	}
	return out
}

func (f facts) backend() words.Backend {
	if !f.loaded {
		return words.BackendNone
	}
	return f.session.backend
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
	active := d.conditions.Active()
	now := time.Now()
	f := d.view.now()
	ok, reasons = health.Ready(f.state(), active)
	first := !f.fetched && len(f.missing()) > 0 // a moment after the first start
	return ok && !first && d.servable(f, now) == nil, reasons
}
