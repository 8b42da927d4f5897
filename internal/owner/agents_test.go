package owner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestAnApprovedBoardBelievesItsGrant(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, b := h.pair("my-bot", list(t, "openrouter"))
	granted, err := h.client().PollPairing(context.Background(), b.token, 0)
	if err != nil || granted == nil {
		t.Fatalf("%v %v", granted, err)
	}
	g, got, err := pairing.CheckGranted(b.key, b.request, wallet.Wallet{}, *granted)
	if err != nil || g.Wallet != m.Wallet || got.Alias != "my-bot" || !got.Scope.Equal(m.Scope) {
		t.Fatalf("%+v %v", g, err)
	}
}

func TestOnlyTheWholeCodeFindsABoard(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	b := h.board(func(*pairing.Request) {})
	text := b.code.Text().Reveal()
	last := "0"
	if strings.HasSuffix(text, "0") {
		last = "1"
	}
	wrongSecret := must(pairing.ParseCode(text[:11] + last))(t)
	if _, err := h.open().Find(context.Background(), wrongSecret); !errors.Is(err, pairing.ErrForged) {
		t.Fatalf("wrong secret part: %v", err)
	}
	first := "0"
	if strings.HasPrefix(text, "0") {
		first = "1"
	}
	wrongLookup := must(pairing.ParseCode(first + text[1:]))(t)
	if _, err := h.open().Find(context.Background(), wrongLookup); !errors.Is(err, owner.ErrNoBoard) {
		t.Fatalf("wrong lookup: %v", err)
	}
}

func TestADeniedBoardLearnsItFromWhoTypedTheCode(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	b := h.board(func(*pairing.Request) {})
	must(h.open().Deny(context.Background(), b.code))(t)
	_, err := h.client().PollPairing(context.Background(), b.token, 0)
	var p *protocol.Problem
	if !errors.As(err, &p) || p.Code != protocol.CodePairingDenied {
		t.Fatal(err)
	}
	if list := must(h.open().Pairings(context.Background()))(t); len(list) != 1 || list[0].State != "denied" {
		t.Fatalf("%+v", list)
	}
}

func TestNamesAreUniqueWithinAnOwner(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	a, _ := h.pair("one", scope.None())
	b, _ := h.pair("two", scope.None())
	o := h.open()
	if _, err := o.Link(context.Background(), "one", owner.Link{Email: "Bot@Example.com"}); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]owner.Link{"alias": {Alias: "one"}, "e-mail": {Email: "bot@example.com"}} {
		if _, err := o.Link(context.Background(), "two", l); !errors.Is(err, owner.ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	board := h.board(func(*pairing.Request) {})
	p := must(o.Find(context.Background(), board.code))(t)
	if _, err := o.Approve(context.Background(), p, owner.Decision{Alias: "two"}); !errors.Is(err, owner.ErrTaken) {
		t.Fatal(err)
	}
	for identity, want := range map[string]wallet.Wallet{
		"one": a.Wallet, "bot@example.com": a.Wallet, "BOT@example.com": a.Wallet, "two": b.Wallet,
		strings.ToUpper(b.Wallet.String()[2:]): {}, a.Wallet.EIP55(): a.Wallet, "": o.Wallet(),
	} {
		got, err := o.Resolve(context.Background(), identity)
		if got != want || (err == nil) == want.IsZero() {
			t.Errorf("%q: %s %v", identity, got, err)
		}
	}
}

func TestScopeDecidesWhoCanOpenARecord(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	_, b := h.pair("bot", list(t, "openrouter"))
	o := h.open()
	must(o.Store(ctx, "bot", "openrouter", secret.New("k1")))(t)
	m := must(o.Store(ctx, "bot", "brave-search", secret.New("k2")))(t)
	check := func(step string, m seal.Manifest, want map[string]string) {
		t.Helper()
		for service, value := range want {
			if got := h.opens(m, service, b.seed); got != value {
				t.Errorf("%s: %s opens to %q on the device, want %q", step, service, got, value)
			}
			if v, err := o.Read(ctx, m.Wallet, service); err != nil || v.IsZero() {
				t.Errorf("%s: the owner cannot open %s: %v", step, service, err)
			}
		}
	}
	check("first", m, map[string]string{"openrouter": "k1", "brave-search": ""})
	m = must(o.SetScope(ctx, "bot", owner.WidenScope(list(t, "brave-search"))))(t)
	check("widened", m, map[string]string{"openrouter": "k1", "brave-search": "k2"})
	m = must(o.SetScope(ctx, "bot", owner.NarrowScope(list(t, "openrouter"))))(t)
	check("narrowed", m, map[string]string{"openrouter": "", "brave-search": "k2"})
	if e, _ := m.Entry("openrouter"); e.Revision != 2 {
		t.Fatalf("a narrowed record keeps revision %d", e.Revision)
	}
	m = must(o.SetScope(ctx, "bot", owner.ReplaceScope(scope.All())))(t)
	check("all", m, map[string]string{"openrouter": "k1", "brave-search": "k2"})
	revision := m.Revision
	if m = must(o.SetScope(ctx, "bot", owner.ReplaceScope(scope.All())))(t); m.Revision != revision {
		t.Fatal("a change that changes nothing was signed")
	}
	if _, err := o.SetScope(ctx, "bot", owner.NarrowScope(list(t, "openrouter"))); !errors.Is(err, owner.ErrAll) {
		t.Fatalf("removing from all: %v", err)
	}
	m = must(o.SetScope(ctx, "bot", owner.ReplaceScope(scope.None())))(t)
	check("none", m, map[string]string{"openrouter": "", "brave-search": ""})
}

// The lease is signed with the rest, and nothing else changes with it.
func TestTheOwnerSetsHowLongAnAgentServesAlone(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	_, b := h.pair("bot", list(t, "openrouter"))
	o := h.open()
	before := must(o.Store(ctx, "bot", "openrouter", secret.New("k1")))(t)
	for _, ttl := range []time.Duration{0, time.Second, seal.MaxOfflineTTL * time.Second} {
		m := must(o.SetOfflineTTL(ctx, "bot", ttl))(t)
		if m.OfflineTTL != int64(ttl/time.Second) || m.Revision != before.Revision+1 || !m.Scope.Equal(before.Scope) {
			t.Fatalf("%s: offline_ttl %d, revision %d after %d, scope %s", ttl, m.OfflineTTL, m.Revision, before.Revision, m.Scope)
		}
		if again := must(o.SetOfflineTTL(ctx, "bot", ttl))(t); again.Revision != m.Revision {
			t.Errorf("%s: the same again made revision %d of %d", ttl, again.Revision, m.Revision)
		}
		if got := h.opens(m, "openrouter", b.seed); got != "k1" {
			t.Errorf("%s: openrouter opens to %q", ttl, got)
		}
		before = m
	}
	if _, err := o.SetOfflineTTL(ctx, "bot", (seal.MaxOfflineTTL+1)*time.Second); !errors.Is(err, seal.ErrManifest) {
		t.Errorf("beyond the longest: %v", err)
	}
	if _, err := o.SetOfflineTTL(ctx, "", time.Hour); !errors.Is(err, owner.ErrNotFound) {
		t.Errorf("the owner's own wallet: %v", err)
	}
}

func TestRevisionsNeverGoDown(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	o := h.open()
	must(o.Store(ctx, "", "openrouter", secret.New("a")))(t)
	must(o.Store(ctx, "", "openrouter", secret.New("b")))(t)
	must(o.Remove(ctx, "", "openrouter"))(t)
	if _, err := o.Remove(ctx, "", "openrouter"); !errors.Is(err, owner.ErrNoCredential) {
		t.Fatal(err)
	}
	m := must(o.Store(ctx, "", "openrouter", secret.New("c")))(t)
	if e, _ := m.Entry("openrouter"); e.Revision != 3 || m.Revision != 4 {
		t.Fatalf("record %d, manifest %d", e.Revision, m.Revision)
	}
}

func TestARevokedDeviceGetsNothingNewAndARecoveredOneAll(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	old, lost := h.pair("bot", list(t, "openrouter"))
	o := h.open()
	must(o.Store(ctx, "bot", "openrouter", secret.New("k1")))(t)
	must(o.Store(ctx, "bot", "brave-search", secret.New("out of scope")))(t)
	must(o.Revoke(ctx, "bot"))(t)
	m := must(o.Store(ctx, "bot", "openrouter", secret.New("k2")))(t)
	if got := h.opens(m, "openrouter", lost.seed); got != "" {
		t.Fatal("the revoked device can open what was stored afterwards")
	}
	b := h.board(func(r *pairing.Request) {
		r.Kind, r.Identity, r.RequestedScope = pairing.KindRecover, "bot", scope.All()
	})
	p := must(o.Find(ctx, b.code))(t)
	if p.Wallet != old.Wallet {
		t.Fatalf("resolved %s", p.Wallet)
	}
	m = must(o.Approve(ctx, p, owner.Decision{Scope: scope.All()}))(t)
	if m.Wallet != old.Wallet || m.Alias != "bot" || m.Scope.String() != "openrouter" || m.Revision <= old.Revision {
		t.Fatalf("%+v", m)
	}
	if got := h.opens(m, "openrouter", b.seed); got != "k2" {
		t.Fatalf("the new device opens %q", got)
	}
	if got := h.opens(m, "brave-search", b.seed); got != "" {
		t.Fatal("recovery widened the scope")
	}
	m = must(o.Store(ctx, "bot", "openrouter", secret.New("k3")))(t)
	if h.opens(m, "openrouter", b.seed) != "k3" || h.opens(m, "openrouter", lost.seed) != "" {
		t.Fatal("the new device is not the device")
	}
}

func TestATornDownAgentIsGone(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, _ := h.pair("bot", scope.All())
	o := h.open()
	must(o.Teardown(ctx, "bot"))(t)
	if agents := must(o.Agents(ctx))(t); len(agents) != 0 {
		t.Fatalf("%+v", agents)
	}
	for _, identity := range []string{"bot", m.Wallet.String()} {
		if _, err := o.Store(ctx, identity, "openrouter", secret.New("v")); !errors.Is(err, owner.ErrNotFound) {
			t.Errorf("%s: %v", identity, err)
		}
	}
	if _, err := o.Revoke(ctx, o.Wallet().String()); !errors.Is(err, owner.ErrNotFound) {
		t.Fatalf("the owner's own wallet was revoked as an agent: %v", err)
	}
}

func TestAnotherOwnerCannotApproveARecovery(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, _ := h.pair("bot", scope.All())
	stranger := newMachine(t, h.srv)
	stranger.init()
	for _, identity := range []string{"bot", m.Wallet.String()} {
		b := h.board(func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, identity })
		if _, err := stranger.open().Find(context.Background(), b.code); !errors.Is(err, owner.ErrNotFound) {
			t.Errorf("%s: %v", identity, err)
		}
	}
}

func TestTwoMachinesOfOneOwnerChangeOneAgent(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	h.pair("bot", scope.All())
	raced := 0
	h.lie = func(b owner.Broker) owner.Broker { return &racing{Broker: b, left: 2, count: &raced} }
	m := must(h.open().Store(ctx, "bot", "openrouter", secret.New("mine")))(t)
	if raced != 2 {
		t.Fatalf("raced %d times", raced)
	}
	if e, ok := m.Entry("openrouter"); !ok || e.Revision != 1 {
		t.Fatalf("%+v", m.Records)
	}
}

// racing answers the first changes as a broker that another machine reached first.
type racing struct {
	owner.Broker
	left  int
	count *int
}

func (r *racing) PutManifest(ctx context.Context, token secret.String, w wallet.Wallet, ifMatch uint64, p protocol.PutManifest) (protocol.ManifestReply, error) {
	if r.left > 0 {
		r.left--
		*r.count++
		return protocol.ManifestReply{}, &protocol.Problem{Status: 412, Code: protocol.CodeConflict}
	}
	return r.Broker.PutManifest(ctx, token, w, ifMatch, p)
}
