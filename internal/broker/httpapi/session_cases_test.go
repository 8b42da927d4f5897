package httpapi_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func (c *contract) sessions(k *cast) {
	every := c.every(k)
	c.want(every["renew"], 200, "")
	wrong := k.renew(c.t, &brokertest.Device{Wallet: k.agent.Wallet, Token: k.agent.Token, Sign: seal.NewSeed()}, session.NewToken())
	c.want(wrong, 403, protocol.CodeDenied)
	for range 19 {
		c.want(wrong, 403, protocol.CodeDenied)
	}
	c.want(wrong, 429, protocol.CodeSlowDown)
	c.tooManyEvents(every["report"])
	c.want(every["resume"], 401, protocol.CodeTokenUnknown)
	for range 601 {
		if _, err := c.s.Broker.Session(c.t.Context(), k.foreign.Credentials()); err != nil {
			break
		}
	}
	flood := every["session"]
	flood.token = k.foreign.Token
	c.want(flood, 429, protocol.CodeSlowDown)
	c.s.Clock.Jump(time.Minute)

	next := session.NewToken()
	c.want(c.resume(k.other.Wallet, k.other.Signing, next), 200, "")
	k.other.Token = next
	lapsing := c.s.Agent(k.owner, scope.All())
	c.want(call{op: "session", method: "GET", path: "/v1/session", token: lapsing.Token}, 200, "")
	ending := every["endSession"]
	leaving := c.s.Agent(k.owner, scope.All())
	ending.token = leaving.Token
	c.want(ending, 403, protocol.CodeDenied)
	ending.body = nil
	c.want(ending, 403, protocol.CodeDenied)
	ending.body = leaving.End(c.t)
	c.want(ending, 204, "")
	c.want(ending, 401, protocol.CodeSessionRevoked)
	c.s.Advance(20 * 24 * time.Hour)
	for _, o := range []*brokertest.Owner{k.owner, k.other} { // owners renew, agents do not
		o.Token = session.NewToken()
		c.want(c.resume(o.Wallet, o.Signing, o.Token), 200, "")
	}
	c.s.Advance(10 * 24 * time.Hour)
	c.want(c.resume(lapsing.Wallet, lapsing.Sign, session.NewToken()), 403, protocol.CodeApprovalNeeded)
}

// tooManyEvents reports until the agent's part of the trail is used up.
func (c *contract) tooManyEvents(r call) {
	body := protocol.Report{Version: "1", Host: "pi", Events: make([]protocol.Event, 900)}
	r.body = body
	for from := range 3 {
		for i := range body.Events {
			body.Events[i] = protocol.Event{
				ID: fmt.Sprintf("%032x", 1000*(from+1)+i), Time: c.s.Clock.Now().Unix(), Service: "openrouter",
				Interface: "agent.sock", Caller: "uid=1", Result: "ok", Count: 1,
			}
		}
		want, code := 204, ""
		if from == 2 {
			want, code = 429, protocol.CodeSlowDown
		}
		c.want(r, want, code)
	}
}

func (c *contract) identities(k *cast) {
	every := c.every(k)
	c.want(every["identity"], 200, "")
	nobody := every["identity"]
	nobody.path = "/v1/identities/nobody"
	c.want(nobody, 404, protocol.CodeNotFound)
	for _, o := range []*brokertest.Owner{k.owner, k.other} {
		d := brokertest.NewDevice(c.t, "")
		c.s.Open(d)
		m := o.Draft(c.t, d, wallet.New(), 1, scope.None())
		m.Alias = "twin"
		r := call{op: "approvePairing", method: "POST", path: "/v1/pairings/approve", token: o.Token, body: o.Approval(c.t, d, m)}
		c.want(r, 200, "")
		c.want(r, 200, "") // the same again
	}
	twin := every["identity"]
	twin.path = "/v1/identities/twin"
	c.want(twin, 409, protocol.CodeConflict)
	for range 40 {
		res, err := http.Get(c.s.URL + nobody.path)
		if err != nil {
			c.t.Fatal(err)
		}
		_ = res.Body.Close() // only the count matters
	}
	c.want(nobody, 429, protocol.CodeSlowDown)
}

func (c *contract) restored(k *cast) {
	c.s.Clock.Jump(time.Minute) // past the limit of wrong codes
	d := c.s.Agent(k.owner, scope.All())
	c.s.NewEpoch()
	http.DefaultClient.CloseIdleConnections()
	every := c.every(k)
	sync := every["sync"]
	sync.token = d.Token
	c.want(sync, 503, protocol.CodeRestored)
	blind := every["openAccount"]
	blind.headers = nil
	c.want(blind, 503, protocol.CodeRestored)
	forged := every["openAccount"]
	forged.body = protocol.OpenAccount{Epoch: c.s.Broker.Info().Epoch, Proof: make([]byte, 64)}
	c.want(forged, 403, protocol.CodeDenied)
	older := every["openAccount"]
	older.body = k.open(c.t, "00000000000000000000000000000000")
	c.want(older, 409, protocol.CodeConflict)
	c.want(every["openAccount"], 204, "")
	c.want(every["openAccount"], 204, "")
	c.want(sync, 200, "")
}
