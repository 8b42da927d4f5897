package httpapi_test

import (
	"bytes"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func (c *contract) open(d *brokertest.Device) call {
	return call{op: "openPairing", method: "POST", path: "/v1/pairings", body: d.Opening()}
}

func poll(d *brokertest.Device) call {
	return call{op: "pollPairing", method: "GET", path: "/v1/pairings/self?wait=0", token: d.Token}
}

func find(o *brokertest.Owner, d *brokertest.Device) call {
	return call{op: "findPairing", method: "POST", path: "/v1/pairings/find", token: o.Token, body: protocol.FindPairing{Lookup: d.Lookup}}
}

func denial(o *brokertest.Owner, d *brokertest.Device) call {
	return call{op: "denyPairing", method: "POST", path: "/v1/pairings/deny", token: o.Token, body: protocol.DenyPairing{
		Lookup: d.Lookup, TokenSHA256: session.TokenHash(d.Token), MAC: bytes.Repeat([]byte{1}, 32),
	}}
}

func (c *contract) grant(o *brokertest.Owner, d *brokertest.Device, w wallet.Wallet, revision uint64) call {
	return call{op: "approvePairing", method: "POST", path: "/v1/pairings/approve", token: o.Token,
		body: o.Approval(c.t, d, o.Draft(c.t, d, w, revision, scope.All()))}
}

func (c *contract) device(identity string) *brokertest.Device {
	d := brokertest.NewDevice(c.t, identity)
	c.s.Open(d)
	return d
}

func (c *contract) pairings(k *cast) {
	c.s.Clock.Jump(time.Minute)
	d := brokertest.NewDevice(c.t, "")
	c.want(c.open(d), 201, "")
	rival := brokertest.NewDevice(c.t, "")
	rival.Lookup = d.Lookup
	c.want(c.open(rival), 409, protocol.CodeConflict)
	c.want(poll(d), 202, "")
	c.want(find(k.owner, d), 200, "")
	c.want(c.grant(k.owner, d, wallet.New(), 1), 200, "")
	c.want(c.grant(k.owner, d, wallet.New(), 1), 409, protocol.CodeAlreadyConsumed)
	c.want(find(k.owner, d), 409, protocol.CodeAlreadyConsumed)
	c.want(denial(k.owner, d), 409, protocol.CodeAlreadyConsumed)
	c.want(poll(d), 200, "")
	c.want(call{op: "pairings", method: "GET", path: "/v1/pairings", token: k.owner.Token}, 200, "")
	c.want(call{op: "pollPairing", method: "GET", path: "/v1/pairings/self", token: k.owner.Token}, 404, protocol.CodeNotFound)

	no := c.device("")
	c.want(denial(k.owner, no), 200, "")
	c.want(poll(no), 403, protocol.CodePairingDenied)

	back := c.device(k.agent.Wallet.String())
	c.want(c.grant(k.other, back, k.agent.Wallet, 3), 404, protocol.CodeNotFound)
	c.want(c.grant(k.owner, back, k.agent.Wallet, 1), 412, protocol.CodeConflict)
	forged := c.grant(brokertest.NewOwner(), back, k.agent.Wallet, 3)
	forged.token = k.owner.Token
	c.want(forged, 400, protocol.CodeBadRequest)

	late := c.device("")
	c.s.Advance(601 * time.Second)
	c.want(poll(late), 410, protocol.CodePairingExpired)
	c.want(find(k.owner, late), 410, protocol.CodePairingExpired)
	c.want(denial(k.owner, late), 410, protocol.CodePairingExpired)
	c.want(c.grant(k.owner, late, wallet.New(), 1), 410, protocol.CodePairingExpired)

	c.limits(k)
}

func (c *contract) limits(k *cast) {
	one := brokertest.NewDevice(c.t, "")
	for range 10 {
		c.want(c.open(one), 201, "")
	}
	c.want(c.open(one), 429, protocol.CodeSlowDown)

	unknown := brokertest.NewDevice(c.t, "")
	unknown.Lookup = c.unknown(k.owner)
	c.want(denial(k.owner, unknown), 404, protocol.CodeNotFound)
	for range 18 {
		unknown.Lookup = c.unknown(k.owner)
	}
	c.want(find(k.owner, unknown), 429, protocol.CodeSlowDown)
	c.want(denial(k.owner, unknown), 429, protocol.CodeSlowDown)
	c.want(c.grant(k.owner, unknown, wallet.New(), 1), 429, protocol.CodeSlowDown)
}

// unknown draws a lookup that no pairing has or had; that is one wrong lookup of o's.
func (c *contract) unknown(o *brokertest.Owner) string {
	for {
		lookup := brokertest.NewDevice(c.t, "").Lookup
		_, err := c.s.Broker.FindPairing(c.t.Context(), o.Credentials(), protocol.FindPairing{Lookup: lookup})
		var p *protocol.Problem
		if errors.As(err, &p) && p.Code == protocol.CodeNotFound {
			return lookup
		}
		if p != nil && p.Code == protocol.CodeSlowDown {
			c.t.Fatal(err)
		}
	}
}

func (c *contract) stopping(k *cast) {
	c.s.Clock.Jump(2 * time.Minute)
	d := c.s.Agent(k.owner, scope.All())
	_, etag, _, err := c.s.Broker.Sync(c.t.Context(), d.Credentials(), "", 0)
	if err != nil {
		c.t.Fatal(err)
	}
	lost := brokertest.NewDevice(c.t, "")
	lost.Lookup = c.unknown(k.owner)
	c.want(find(k.owner, lost), 404, protocol.CodeNotFound)
	sync := call{op: "sync", method: "GET", path: "/v1/agent/sync", token: d.Token, headers: map[string]string{"If-None-Match": etag}}
	c.want(sync, 304, "")
	sync.path += "?wait=50"
	waiting := c.device("")
	ask := poll(waiting)
	ask.path = "/v1/pairings/self?wait=50"
	a, b := c.waiting(sync), c.waiting(ask)
	c.s.Broker.Close()
	c.check(sync, <-a, 503, protocol.CodeUnavailable)
	c.check(ask, <-b, 503, protocol.CodeUnavailable)
}
