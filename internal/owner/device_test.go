package owner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// device saves the board's session in its slot and opens it.
func (h *machine) device(m seal.Manifest, b board) *owner.Device {
	h.t.Helper()
	o := h.open()
	sess, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	cfg := h.cfg
	cfg.ID = session.DaemonID(m.Wallet)
	must(h.slots.Save(context.Background(), cfg.ID, session.Session{
		Token: b.token, Wallet: m.Wallet, Scope: m.Scope, CreatedAt: 1, TTLSeconds: 1, Broker: h.srv.URL, DeviceKey: b.seed,
		DeviceSignKey: b.sign, Owner: &session.Owner{Wallet: o.Wallet(), SigningKey: must(seal.SigningKey(sess.SigningSeed))(h.t)},
	}))(h.t)
	return must(owner.OpenDevice(context.Background(), cfg))(h.t)
}

func TestADeviceReadsItsOwnAndNothingElse(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, b := h.pair("a", list(t, "openrouter"))
	other, _ := h.pair("b", scope.All())
	o := h.open()
	must(o.Store(ctx, "a", "openrouter", secret.New("k1")))(t)
	must(o.Store(ctx, "a", "brave-search", secret.New("k2")))(t)
	must(o.Store(ctx, "b", "brave-search", secret.New("k3")))(t)
	d := h.device(m, b)
	if v, err := d.Read(ctx, d.Wallet(), "openrouter"); err != nil || v.Reveal() != "k1" {
		t.Fatal(err)
	}
	if names, err := d.List(ctx, d.Wallet()); err != nil || len(names) != 1 {
		t.Fatalf("%v %v", names, err)
	}
	code := func(err error) string {
		var p *protocol.Problem
		errors.As(err, &p)
		if p == nil {
			return ""
		}
		return p.Code
	}
	if _, err := d.Read(ctx, d.Wallet(), "brave-search"); code(err) != protocol.CodeDeniedScope {
		t.Error(err)
	}
	w := must(d.Resolve(ctx, "b"))(t)
	if _, err := d.Read(ctx, w, "brave-search"); w != other.Wallet || code(err) != protocol.CodeDenied {
		t.Error(err)
	}
	if _, err := d.List(ctx, w); code(err) != protocol.CodeDenied {
		t.Error(err)
	}
	if _, err := d.Read(ctx, d.Wallet(), "nothing"); code(err) != protocol.CodeDeniedScope {
		t.Error(err)
	}
	if _, err := d.Resolve(ctx, "nobody"); !errors.Is(err, owner.ErrNotFound) {
		t.Error(err)
	}
	cfg := h.cfg
	cfg.ID = session.DaemonID(other.Wallet)
	if _, err := owner.OpenDevice(ctx, cfg); !errors.Is(err, owner.ErrNoAccount) {
		t.Errorf("an empty slot: %v", err)
	}
	cfg.ID = session.DaemonID(m.Wallet)
	if _, err := owner.Open(ctx, cfg); !errors.Is(err, owner.ErrNotOwner) {
		t.Errorf("an agent's slot opened as an owner: %v", err)
	}
}

func TestADeviceBelievesOnlyItsOwnersManifest(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, b := h.pair("a", list(t, "openrouter"))
	must(h.open().Store(ctx, "a", "openrouter", secret.New("k1")))(t)
	l := h.withLiar()
	d := h.device(m, b)
	l.manifest = func(r protocol.ManifestReply) (protocol.ManifestReply, error) {
		r.SignedManifest = rewritten(t, r.SignedManifest, func(m *seal.Manifest) { m.Scope = scope.All() })
		return r, nil
	}
	if _, err := d.List(ctx, d.Wallet()); !errors.Is(err, seal.ErrManifest) {
		t.Error(err)
	}
	if _, err := d.Read(ctx, d.Wallet(), "openrouter"); !errors.Is(err, seal.ErrManifest) {
		t.Error(err)
	}
	l.manifest = nil
	l.record = func(r protocol.SealedRecord) (protocol.SealedRecord, error) { r.Data = r.Data[1:]; return r, nil }
	if v, err := d.Read(ctx, d.Wallet(), "openrouter"); !errors.Is(err, owner.ErrWithheld) || !v.IsZero() {
		t.Error(err)
	}
}

// replaying gives one manifest and one record, whatever became of them.
type replaying struct {
	owner.Broker
	manifest protocol.ManifestReply
	record   protocol.SealedRecord
}

func (r *replaying) Manifest(context.Context, secret.String, wallet.Wallet) (protocol.ManifestReply, error) {
	return r.manifest, nil
}

func (r *replaying) Record(context.Context, secret.String, wallet.Wallet, string) (protocol.SealedRecord, error) {
	return r.record, nil
}

func TestADeviceRefusesAnOldManifestAndWhatIsOutOfScope(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := t.Context()
	m, b := h.pair("a", scope.All())
	must(h.open().Store(ctx, "a", "openrouter", secret.New("old")))(t)
	manifest := func() protocol.ManifestReply { return must(h.client().Manifest(ctx, b.token, m.Wallet))(t) }
	r := &replaying{manifest: manifest(), record: must(h.client().Record(ctx, b.token, m.Wallet, "openrouter"))(t)}
	must(h.open().SetScope(ctx, "a", owner.ReplaceScope(list(t, "anthropic"))))(t)
	newer := manifest()
	h.lie = func(b owner.Broker) owner.Broker { r.Broker = b; return r }
	d := h.device(m, b)
	if v, err := d.Read(ctx, m.Wallet, "openrouter"); err != nil || v.Reveal() != "old" {
		t.Fatalf("nothing on this machine could know better: %v", err)
	}
	cache := fmt.Appendf(nil, `{"version":1,"manifest":%q,"signature":%q,"records":[]}`,
		must(newer.Manifest.MarshalText())(t), must(newer.Signature.MarshalText())(t))
	if err := h.slots.WriteFile(session.DaemonID(m.Wallet), "cache.json", cache); err != nil {
		t.Fatal(err)
	}
	if v, err := d.Read(ctx, m.Wallet, "openrouter"); !errors.Is(err, seal.ErrManifest) || !v.IsZero() {
		t.Errorf("an old manifest: %v", err)
	}
	if names, err := d.List(ctx, m.Wallet); !errors.Is(err, seal.ErrManifest) {
		t.Errorf("an old manifest: %v %v", names, err)
	}
	r.manifest = newer
	if v, err := d.Read(ctx, m.Wallet, "openrouter"); !errors.Is(err, owner.ErrScope) || !v.IsZero() {
		t.Errorf("out of scope: %v", err)
	}
	if names, err := d.List(ctx, m.Wallet); err != nil || len(names) != 0 {
		t.Errorf("the present manifest: %v %v", names, err)
	}
}

func TestADeviceRefusesTheManifestOfAnotherDevice(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, b := h.pair("a", scope.All())
	for name, change := range map[string]func(*board){
		"device key":         func(b *board) { b.seed = seal.NewSeed() },
		"device signing key": func(b *board) { b.sign = seal.NewSeed() },
	} {
		other := b
		change(&other)
		if _, err := h.device(m, other).List(t.Context(), m.Wallet); !errors.Is(err, seal.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALapsedAgentIsReopenedByTheOwnersKey(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, b := h.pair("a", scope.All())
	must(h.client().Session(ctx, b.token))(t) // first use
	h.srv.Advance(31 * 24 * time.Hour)
	o := h.open()
	if a := must(o.Agents(ctx))(t); a[0].Seen.State != protocol.AgentLapsed {
		t.Fatalf("%+v", a[0].Seen)
	}
	if opened := must(o.Reopen(ctx, ""))(t); len(opened) != 1 || opened[0] != m.Wallet {
		t.Fatalf("%v", opened)
	}
	if opened := must(o.Reopen(ctx, ""))(t); len(opened) != 0 {
		t.Fatalf("%v", opened)
	}
	must(o.Reopen(ctx, "a"))(t)
	if _, err := o.Reopen(ctx, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"); !errors.Is(err, owner.ErrNotFound) {
		t.Error(err)
	}
}
