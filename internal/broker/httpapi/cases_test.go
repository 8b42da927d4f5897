package httpapi_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// cast is who the cases are about.
type cast struct {
	owner, other  *brokertest.Owner
	agent, parked *brokertest.Device
	foreign       *brokertest.Device // of the other owner
	fresh         *brokertest.Device // asked, not decided
}

func (c *contract) cast() *cast {
	k := &cast{owner: c.s.Owner(), other: c.s.Owner()}
	k.agent = c.s.Agent(k.owner, scope.All(), "openrouter")
	k.parked = c.s.Agent(k.owner, scope.All(), "openrouter")
	k.foreign = c.s.Agent(k.other, scope.All(), "openrouter")
	k.fresh = brokertest.NewDevice(c.t, "")
	c.s.Open(k.fresh)
	c.park(k.parked)
	return k
}

// park makes a second device ask for the session of d.
func (c *contract) park(d *brokertest.Device) {
	c.t.Helper()
	get := call{op: "session", method: "GET", path: "/v1/session", token: d.Token}
	c.want(get, 200, "")
	c.want(c.resume(d.Wallet, d.Sign, session.NewToken()), 409, protocol.CodeCloneSuspected)
}

// resume asks with the challenge that the answer to an unknown token has.
func (c *contract) resume(w wallet.Wallet, sign, next secret.String) call {
	c.t.Helper()
	p := decoded[protocol.Problem](c.t, c.want(call{op: "session", method: "GET", path: "/v1/session", token: session.NewToken()}, 401, protocol.CodeTokenUnknown))
	hash := session.TokenHash(next)
	proof := brokertest.Must(session.Prove(sign, session.ResumeText(w, hash, p.Challenge)))(c.t)
	return call{op: "resume", method: "POST", path: "/v1/session/resume", body: protocol.Resume{Wallet: w, NextSHA256: hash, Challenge: p.Challenge, Proof: proof}}
}

func (k *cast) renew(t *testing.T, d *brokertest.Device, next secret.String) call {
	t.Helper()
	hash := session.TokenHash(next)
	proof := brokertest.Must(session.Prove(d.Sign, session.RenewText(d.Wallet, session.TokenHash(d.Token), hash)))(t)
	return call{op: "renew", method: "POST", path: "/v1/session/renew", token: d.Token, body: protocol.Renew{NextSHA256: hash, Proof: proof}}
}

// every is one well-formed request of each operation, by the owner or the agent.
func (c *contract) every(k *cast) map[string]call {
	t := c.t
	agent := "/v1/agents/" + k.agent.Wallet.String()
	d := brokertest.NewDevice(t, "")
	m := k.agent.Manifest
	m.Revision = 2
	approval := k.owner.Approval(t, k.fresh, k.owner.Draft(t, k.fresh, wallet.New(), 1, scope.All()))
	epoch := c.s.Broker.Info().Epoch
	mac := protocol.Bytes(bytes.Repeat([]byte{1}, 32))
	calls := []call{
		{op: "info", method: "GET", path: "/v1/info"},
		{op: "createAccount", method: "POST", path: "/v1/accounts", body: brokertest.NewOwner().Account(t)},
		{op: "openPairing", method: "POST", path: "/v1/pairings", body: d.Opening()},
		{op: "pairings", method: "GET", path: "/v1/pairings", token: k.owner.Token},
		{op: "pollPairing", method: "GET", path: "/v1/pairings/self", token: k.fresh.Token},
		{op: "findPairing", method: "POST", path: "/v1/pairings/find", token: k.owner.Token, body: protocol.FindPairing{Lookup: k.fresh.Lookup}},
		{op: "approvePairing", method: "POST", path: "/v1/pairings/approve", token: k.owner.Token, body: approval},
		{op: "denyPairing", method: "POST", path: "/v1/pairings/deny", token: k.owner.Token, body: protocol.DenyPairing{Lookup: k.fresh.Lookup, TokenSHA256: session.TokenHash(k.fresh.Token), MAC: mac}},
		{op: "session", method: "GET", path: "/v1/session", token: k.owner.Token},
		{op: "endSession", method: "DELETE", path: "/v1/session", token: k.agent.Token, body: k.agent.End(t)},
		k.renew(t, k.agent, session.NewToken()),
		{op: "resume", method: "POST", path: "/v1/session/resume", body: protocol.Resume{Wallet: k.agent.Wallet, NextSHA256: session.TokenHash(session.NewToken()), Proof: mac}},
		{op: "agents", method: "GET", path: "/v1/agents", token: k.owner.Token},
		{op: "agent", method: "GET", path: agent, token: k.owner.Token},
		{op: "teardown", method: "DELETE", path: agent, token: k.owner.Token},
		{op: "revoke", method: "DELETE", path: agent + "/session", token: k.owner.Token},
		{op: "openAccount", method: "POST", path: "/v1/accounts/open", token: k.owner.Token, body: k.open(t, epoch), headers: map[string]string{protocol.EpochHeader: epoch}},
		{op: "reopen", method: "POST", path: agent + "/reopen", token: k.owner.Token, body: k.reopen(t, k.agent)},
		{op: "manifest", method: "GET", path: agent + "/manifest", token: k.owner.Token},
		{op: "putManifest", method: "PUT", path: agent + "/manifest", token: k.owner.Token, body: k.owner.Put(t, m), headers: map[string]string{"If-Match": `"1"`}},
		{op: "records", method: "GET", path: agent + "/records", token: k.owner.Token},
		{op: "record", method: "GET", path: agent + "/records/openrouter", token: k.owner.Token},
		{op: "sync", method: "GET", path: "/v1/agent/sync", token: k.agent.Token},
		{op: "report", method: "POST", path: "/v1/agent/report", token: k.agent.Token, body: protocol.Report{Version: "1", Host: "pi", Events: []protocol.Event{}}},
		{op: "identity", method: "GET", path: "/v1/identities/" + k.agent.Wallet.String()},
		{op: "audit", method: "GET", path: "/v1/audit", token: k.owner.Token},
	}
	out := map[string]call{}
	for _, one := range calls {
		out[one.op] = one
	}
	return out
}

func (k *cast) open(t *testing.T, epoch string) protocol.OpenAccount {
	t.Helper()
	text := session.OpenText(k.owner.Wallet, epoch, session.TokenHash(k.owner.Token))
	return protocol.OpenAccount{Epoch: epoch, Proof: brokertest.Must(session.Prove(k.owner.Signing, text))(t)}
}

func (k *cast) reopen(t *testing.T, d *brokertest.Device) protocol.Reopen {
	t.Helper()
	text := session.ReopenText(k.owner.Wallet, d.Wallet, session.TokenHash(k.owner.Token))
	return protocol.Reopen{Proof: brokertest.Must(session.Prove(k.owner.Signing, text))(t)}
}

// refusals are the cases that all operations have in common.
func (c *contract) refusals(k *cast) {
	open := map[string]bool{"info": true, "openPairing": true, "resume": true, "identity": true}
	of := map[string]*brokertest.Device{"endSession": k.parked, "session": k.parked, "renew": k.parked}
	agents := map[string]bool{"sync": true, "report": true, "session": true, "endSession": true, "renew": true, "manifest": true, "records": true, "record": true}
	for op, r := range c.every(k) {
		malformed := r
		malformed.path += "?unknown=1"
		c.want(malformed, 400, protocol.CodeBadRequest)
		if r.body != nil {
			tooBig := r
			tooBig.body = append([]byte(`{"lookup":"`), bytes.Repeat([]byte("x"), protocol.MaxApproveBody)...)
			c.want(tooBig, 413, protocol.CodeBadRequest)
			c.wrongTypes(r)
		}
		if open[op] {
			continue
		}
		stranger := r
		stranger.token = session.NewToken()
		c.want(stranger, 401, protocol.CodeTokenUnknown)
		if op == "createAccount" || op == "pollPairing" {
			continue
		}
		if op == "renew" {
			r = k.renew(c.t, of[op], session.NewToken())
		}
		if op == "endSession" {
			r.body = of[op].End(c.t)
		}
		twin := r
		twin.token = k.parked.Token
		c.want(twin, 409, protocol.CodeCloneSuspected)
		if !agents[op] {
			below := r
			below.token = k.agent.Token
			c.want(below, 403, protocol.CodeDenied)
		}
		if strings.HasPrefix(r.path, "/v1/agents/") {
			nobody := r
			nobody.path = strings.Replace(r.path, k.agent.Wallet.String(), wallet.New().String(), 1)
			c.want(nobody, 404, protocol.CodeNotFound)
		}
	}
}

// wrongTypes are of what a web page can send to any address without being asked.
func (c *contract) wrongTypes(r call) {
	for _, headers := range []map[string]string{
		{"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "application/json-seq"},
	} {
		page := r
		page.headers = maps.Clone(r.headers)
		if page.headers == nil {
			page.headers = map[string]string{}
		}
		maps.Copy(page.headers, headers)
		c.want(page, 415, protocol.CodeBadRequest)
	}
}

func TestTheDocumentIsTrue(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	k := c.cast()
	c.refusals(k)
	c.s.Clock.Jump(time.Minute)
	c.accounts(k)
	c.sealed(k)
	c.agents(k)
	c.sessions(k)
	c.identities(k)
	c.pairings(k)
	c.restored(k)
	c.stopping(k)
	c.complete()
}

func (c *contract) accounts(k *cast) {
	every := c.every(k)
	r := every["createAccount"]
	forged := brokertest.NewOwner().Account(c.t)
	forged.Signature[0] ^= 1
	r.token = c.s.SetupToken()
	r.body = forged
	c.want(r, 403, protocol.CodeDenied)
	twice := brokertest.NewOwner()
	twice.Wallet = k.owner.Wallet
	r.body = twice.Account(c.t)
	c.want(r, 409, protocol.CodeConflict)
	r.body = every["createAccount"].body
	c.want(r, 201, "")
	c.want(every["info"], 200, "")
	c.s.Fill(protocol.ReadOnlyNoSpace, false)
	full := c.request(every["openPairing"])
	if got := send(full); got.err != nil || got.StatusCode != 503 || got.Header.Get("Retry-After") != "10" || decoded[protocol.Problem](c.t, got.body).Code != protocol.CodeReadOnly {
		c.t.Errorf("a full disk: %v %v %s", got.err, got.Response, got.body)
	}
	if info := decoded[protocol.Info](c.t, c.want(every["info"], 200, "")); info.ReadOnlyReason != protocol.ReadOnlyNoSpace {
		c.t.Errorf("a full disk: %+v", info)
	}
	c.s.Drain()
	if err := c.s.Broker.Sweep(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.want(every["openAccount"], 204, "")
	c.want(every["audit"], 200, "")
	filtered := every["audit"]
	filtered.path += "?agent=" + k.agent.Wallet.String() + "&service=openrouter&action=access_denied&since=1&cursor=2&limit=1000&from=end"
	c.want(filtered, 200, "")
}

func (c *contract) sealed(k *cast) {
	every := c.every(k)
	for _, op := range []string{"manifest", "records", "record"} {
		c.want(every[op], 200, "")
		own := every[op]
		own.token = k.agent.Token
		c.want(own, 200, "")
		foreign := own
		foreign.path = strings.Replace(own.path, k.agent.Wallet.String(), k.parked.Wallet.String(), 1)
		c.want(foreign, 403, protocol.CodeDenied)
	}
	put := every["putManifest"]
	stale := put
	stale.headers = map[string]string{"If-Match": `"7"`}
	c.want(stale, 412, protocol.CodeConflict)
	m := k.agent.Manifest
	m.Revision, m.Scope = 2, scope.None()
	forged := put
	stranger := brokertest.NewOwner()
	stranger.Wallet = k.owner.Wallet
	forged.body = stranger.Put(c.t, m)
	c.want(forged, 403, protocol.CodeDenied)

	sync := every["sync"]
	first := decoded[protocol.Sync](c.t, c.want(sync, 200, ""))
	if first.Revision != 1 {
		c.t.Errorf("revision %d", first.Revision)
	}
	put.body = k.owner.Put(c.t, m)
	c.want(put, 200, "")
	k.agent.Manifest = m
	c.want(put, 200, "") // the same again
	scoped := every["record"]
	scoped.token = k.agent.Token
	c.want(scoped, 403, protocol.CodeDeniedScope)
	notAgent := sync
	notAgent.token = k.owner.Token
	c.want(notAgent, 403, protocol.CodeDenied)
}

func (c *contract) agents(k *cast) {
	every := c.every(k)
	c.want(every["agents"], 200, "")
	c.want(every["agent"], 200, "")
	report := every["report"]
	report.body = protocol.Report{Version: "1", Host: "pi", StorageBackend: "file", KeychainState: "no_bus", State: "online", Events: []protocol.Event{{
		ID: strings.Repeat("0a", 16), Time: 1, Service: "openrouter", Interface: "agent.sock", Caller: "uid=1000", Result: "ok", Count: 1,
	}}}
	c.want(report, 204, "")
	report.token = k.owner.Token
	c.want(report, 403, protocol.CodeDenied)
	c.want(every["reopen"], 204, "")
	gone := c.s.Agent(k.owner, scope.All())
	for _, op := range []string{"revoke", "teardown"} {
		r := every[op]
		r.path = strings.Replace(r.path, k.agent.Wallet.String(), gone.Wallet.String(), 1)
		c.want(r, 204, "")
		c.want(r, 204, "")
	}
}
