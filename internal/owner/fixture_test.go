package owner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// machine is one owner's machine with a real broker. lie, if a test sets it, changes what the
// broker answers.
type machine struct {
	t     *testing.T
	srv   *brokertest.Server
	slots *store.Store
	cfg   owner.Config
	lie   func(owner.Broker) owner.Broker
	now   func() time.Time
}

func newMachineAndBroker(t *testing.T) *machine {
	t.Helper()
	return newMachine(t, brokertest.Start(t))
}

// newMachine is one more machine of the same broker.
func newMachine(t *testing.T, srv *brokertest.Server) *machine {
	t.Helper()
	h := &machine{t: t, srv: srv, now: srv.Clock.Now}
	h.slots = must(store.New(store.Config{Home: t.TempDir() + "/home", Mode: words.ModeFile}))(t)
	h.cfg = owner.Config{
		ID: session.Master(), BrokerURL: srv.URL, Slots: h.slots, Now: func() time.Time { return h.now() },
		Dial: func(url string) (owner.Broker, error) {
			c, err := brokerclient.New(brokerclient.Config{URL: url})
			if err != nil || h.lie == nil {
				return c, err
			}
			return h.lie(c), nil
		},
	}
	return h
}

// initialised has an account too.
func initialised(t *testing.T) *machine {
	t.Helper()
	h := newMachineAndBroker(t)
	h.init()
	return h
}

func (h *machine) init() owner.Opened {
	h.t.Helper()
	in := owner.Init{SetupToken: h.srv.SetupToken()}
	return must(owner.Start(context.Background(), h.cfg, in, silent))(h.t)
}

func silent(owner.Opened) error { return nil }

func (h *machine) open() *owner.Owner {
	h.t.Helper()
	return must(owner.Open(context.Background(), h.cfg))(h.t)
}

// board is a device that shows a code.
type board struct {
	code      pairing.Code
	key       pairing.Key
	token     secret.String
	seed      secret.String
	sign      secret.String
	request   []byte
	recipient string
}

// board opens a pairing request with change applied to it.
func (h *machine) board(change func(*pairing.Request)) board {
	h.t.Helper()
	b := board{code: pairing.NewCode(), token: session.NewToken(), seed: seal.NewSeed(), sign: seal.NewSeed()}
	b.recipient = must(seal.Recipient(b.seed))(h.t)
	r := pairing.Request{
		Kind: pairing.KindPair, TokenSHA256: session.TokenHash(b.token), DeviceKey: b.recipient,
		DeviceSignKey: must(seal.SigningKey(b.sign))(h.t), RequestedScope: scope.All(), Host: "pi",
	}
	change(&r)
	b.request = must(r.Encode())(h.t)
	b.key = must(pairing.DeriveKey(b.code, b.request))(h.t)
	c := h.client()
	must(c.OpenPairing(context.Background(), protocol.OpenPairing{
		Lookup: b.code.Lookup(), TokenSHA256: r.TokenSHA256, Request: b.request, MAC: b.key.RequestMAC(),
	}))(h.t)
	return b
}

func (h *machine) client() *brokerclient.Client {
	return must(brokerclient.New(brokerclient.Config{URL: h.srv.URL}))(h.t)
}

// pair makes an agent with that alias and scope.
func (h *machine) pair(alias string, s scope.Scope) (seal.Manifest, board) {
	h.t.Helper()
	b := h.board(func(*pairing.Request) {})
	o := h.open()
	p := must(o.Find(context.Background(), b.code))(h.t)
	return must(o.Approve(context.Background(), p, owner.Decision{Alias: alias, Scope: s}))(h.t), b
}

// opens says what the board's device key makes of the record of service; "" if nothing.
func (h *machine) opens(m seal.Manifest, service string, seed secret.String) string {
	h.t.Helper()
	sess, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	record := must(h.client().Record(context.Background(), sess.Token, m.Wallet, service))(h.t)
	entry, ok := m.Entry(service)
	if !ok {
		h.t.Fatalf("%s is not listed", service)
	}
	value, err := seal.OpenRecord(record, entry, seed)
	if err != nil && !errors.Is(err, seal.ErrRecord) {
		h.t.Fatal(err)
	}
	return value.Reveal()
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func list(t *testing.T, services ...string) scope.Scope {
	t.Helper()
	return must(scope.Of(services...))(t)
}
