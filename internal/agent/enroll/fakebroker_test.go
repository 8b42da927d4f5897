package enroll_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// fakeBroker is the pairing side of a broker.
type fakeBroker struct {
	mu      sync.Mutex
	fault   func(call string) error
	open    map[string]protocol.OpenPairing // by token hash
	granted map[string]*protocol.Granted
	denied  map[string]*protocol.Problem
	taken   map[string]bool // lookups that others use
	expired bool
	names   map[string]wallet.Wallet
	opened  int
}

func newFakeBroker() *fakeBroker {
	return &fakeBroker{
		open: map[string]protocol.OpenPairing{}, granted: map[string]*protocol.Granted{},
		denied: map[string]*protocol.Problem{}, taken: map[string]bool{}, names: map[string]wallet.Wallet{},
	}
}

func refusal(status int, code string) *protocol.Problem {
	return &protocol.Problem{Status: status, Code: code}
}

func (b *fakeBroker) fail(call string) error {
	b.mu.Lock()
	fault := b.fault
	b.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(call)
}

func (b *fakeBroker) OpenPairing(_ context.Context, body protocol.OpenPairing) (protocol.PairingOpened, error) {
	if err := b.fail("open"); err != nil {
		return protocol.PairingOpened{}, err
	}
	b.mu.Lock()
	known, again := b.open[body.TokenSHA256]
	switch {
	case again && !bytes.Equal(known.Request, body.Request), !again && b.taken[body.Lookup]:
		b.mu.Unlock()
		return protocol.PairingOpened{}, refusal(409, protocol.CodeConflict)
	}
	b.open[body.TokenSHA256], b.opened = body, b.opened+1
	b.mu.Unlock()
	return protocol.PairingOpened{ExpiresIn: 600, Interval: 2}, b.fail("open answer")
}

func (b *fakeBroker) PollPairing(ctx context.Context, token secret.String, wait time.Duration) (*protocol.Granted, error) {
	for until := time.Now().Add(wait); ; {
		if err := b.fail("poll"); err != nil {
			return nil, err
		}
		hash := session.TokenHash(token)
		b.mu.Lock()
		_, known := b.open[hash]
		granted, denied, expired := b.granted[hash], b.denied[hash], b.expired
		b.mu.Unlock()
		switch {
		case !known:
			return nil, refusal(401, protocol.CodeTokenUnknown)
		case granted != nil:
			return granted, b.fail("poll answer")
		case denied != nil:
			return nil, denied
		case expired:
			return nil, refusal(410, protocol.CodePairingExpired)
		case !time.Now().Before(until):
			return nil, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		time.Sleep(time.Second)
	}
}

func (b *fakeBroker) Identity(_ context.Context, identity string) (wallet.Wallet, error) {
	if err := b.fail("identity"); err != nil {
		return wallet.Wallet{}, err
	}
	w, ok := b.names[identity]
	if !ok {
		return w, refusal(404, protocol.CodeNotFound)
	}
	return w, nil
}

// approver is the person with the owner's keys who reads the code off the screen.
type approver struct {
	t         *testing.T
	b         *fakeBroker
	wallet    wallet.Wallet // of the owner
	sign      secret.String
	recipient string
	agent     wallet.Wallet // what the next approval names; zero: a new one
	scope     scope.Scope
	spoil     func(*pairing.Grant, *seal.Manifest)
}

func newApprover(t *testing.T, b *fakeBroker) *approver {
	return &approver{
		t: t, b: b, wallet: wallet.New(), sign: seal.NewSeed(),
		recipient: must(seal.Recipient(seal.NewSeed()))(t), scope: must(scope.Of("openrouter"))(t),
	}
}

// find checks the request's MAC with the typed code, as the owner's program does.
func (a *approver) find(code pairing.Code) (hash string, r pairing.Request, raw []byte, k pairing.Key) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	for hash, open := range a.b.open {
		if open.Lookup != code.Lookup() {
			continue
		}
		k = must(pairing.DeriveKey(code, open.Request))(a.t)
		if err := pairing.CheckRequest(k, open.MAC); err != nil {
			a.t.Fatal(err)
		}
		return hash, must(pairing.ParseRequest(open.Request))(a.t), open.Request, k
	}
	a.t.Fatal("the code is not known")
	return "", pairing.Request{}, nil, k
}

func (a *approver) approve(code pairing.Code) {
	hash, r, raw, k := a.find(code)
	if a.agent.IsZero() {
		a.agent = wallet.New()
	}
	m := seal.Manifest{
		Owner: a.wallet, Wallet: a.agent, Emails: []string{}, Revision: 3, DeviceKey: r.DeviceKey,
		DeviceSignKey: r.DeviceSignKey, Scope: a.scope, OfflineTTL: 60,
	}
	g := pairing.Grant{
		RequestSHA256: pairing.RequestHash(raw), Wallet: a.agent, Owner: a.wallet,
		OwnerSignKey: must(seal.SigningKey(a.sign))(a.t), OwnerRecipient: a.recipient, ManifestRevision: 3,
	}
	if a.spoil != nil {
		a.spoil(&g, &m)
	}
	grant := must(g.Encode())(a.t)
	reply := &protocol.Granted{Grant: grant, GrantMAC: k.GrantMAC(grant), Manifest: must(seal.Sign(m, a.sign))(a.t)}
	a.b.mu.Lock()
	a.b.granted[hash] = reply
	a.b.mu.Unlock()
}

func (a *approver) deny(code pairing.Code, right bool) {
	hash, _, _, k := a.find(code)
	mac := k.DenyMAC()
	if !right {
		mac[0] ^= 1
	}
	p := refusal(403, protocol.CodePairingDenied)
	p.DenyMAC = base64.RawURLEncoding.EncodeToString(mac)
	a.b.mu.Lock()
	a.b.denied[hash] = p
	a.b.mu.Unlock()
}
