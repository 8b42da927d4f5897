package owner_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// liar answers in the broker's place where a function is set, and notes what the
// owner's program was ready to send.
type liar struct {
	owner.Broker
	manifest func(protocol.ManifestReply) (protocol.ManifestReply, error)
	agents   func([]protocol.Agent) []protocol.Agent
	record   func(protocol.SealedRecord) (protocol.SealedRecord, error)
	found    func(protocol.FoundPairing) protocol.FoundPairing
	audit    func(protocol.AuditQuery, protocol.Audit) protocol.Audit
	session  func() (protocol.SessionInfo, error)
	sent     int
}

func (l *liar) Manifest(ctx context.Context, token secret.String, w wallet.Wallet) (protocol.ManifestReply, error) {
	r, err := l.Broker.Manifest(ctx, token, w)
	if err == nil && l.manifest != nil {
		return l.manifest(r)
	}
	return r, err
}

func (l *liar) Session(ctx context.Context, token secret.String) (protocol.SessionInfo, error) {
	if l.session != nil {
		return l.session()
	}
	return l.Broker.Session(ctx, token)
}

func (l *liar) Agents(ctx context.Context, token secret.String, cursor uint64) (protocol.AgentList, error) {
	list, err := l.Broker.Agents(ctx, token, cursor)
	if err == nil && l.agents != nil {
		list.Agents = l.agents(list.Agents)
	}
	return list, err
}

func (l *liar) Record(ctx context.Context, token secret.String, w wallet.Wallet, service string) (protocol.SealedRecord, error) {
	r, err := l.Broker.Record(ctx, token, w, service)
	if err == nil && l.record != nil {
		return l.record(r)
	}
	return r, err
}

func (l *liar) FindPairing(ctx context.Context, token secret.String, lookup string) (protocol.FoundPairing, error) {
	f, err := l.Broker.FindPairing(ctx, token, lookup)
	if err == nil && l.found != nil {
		f = l.found(f)
	}
	return f, err
}

func (l *liar) Audit(ctx context.Context, token secret.String, q protocol.AuditQuery) (protocol.Audit, error) {
	a, err := l.Broker.Audit(ctx, token, q)
	if err == nil && l.audit != nil {
		a = l.audit(q, a)
	}
	return a, err
}

func (l *liar) PutManifest(ctx context.Context, token secret.String, w wallet.Wallet, ifMatch uint64, p protocol.PutManifest) (protocol.ManifestReply, error) {
	l.sent++
	return l.Broker.PutManifest(ctx, token, w, ifMatch, p)
}

// withLiar puts a liar between the machine and its broker.
func (h *machine) withLiar() *liar {
	l := &liar{}
	h.lie = func(b owner.Broker) owner.Broker { l.Broker = b; return l }
	return l
}

// rewritten is the manifest with change applied, signed by a key that is not the owner's.
func rewritten(t *testing.T, signed protocol.SignedManifest, change func(*seal.Manifest)) protocol.SignedManifest {
	t.Helper()
	m := must(seal.Parse(signed.Manifest))(t)
	change(&m)
	forged := must(seal.Sign(m, seal.NewSeed()))(t)
	return forged
}

func TestNoManifestOfALyingBrokerIsBelieved(t *testing.T) {
	t.Parallel()
	foreign := must(seal.Recipient(seal.NewSeed()))(t)
	for name, change := range map[string]func(*seal.Manifest){
		"device key": func(m *seal.Manifest) { m.DeviceKey = foreign },
		"scope":      func(m *seal.Manifest) { m.Scope = scope.All() },
		"alias":      func(m *seal.Manifest) { m.Alias = "other" },
		"e-mail":     func(m *seal.Manifest) { m.Emails = []string{"evil@example.com"} },
		"records": func(m *seal.Manifest) {
			m.Records = []seal.Entry{{Service: "x", Revision: 1, SHA256: strings.Repeat("0", 64)}}
		},
		"only the key": func(*seal.Manifest) {},
	} {
		for kind, keepSignature := range map[string]bool{"resigned": false, "old signature": true} {
			if name == "only the key" && keepSignature {
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				h := initialised(t)
				h.pair("bot", list(t, "openrouter"))
				l := h.withLiar()
				lie := func(s protocol.SignedManifest) protocol.SignedManifest {
					out := rewritten(t, s, change)
					if keepSignature {
						out.Signature = s.Signature
					}
					return out
				}
				l.manifest = func(r protocol.ManifestReply) (protocol.ManifestReply, error) {
					r.SignedManifest = lie(r.SignedManifest)
					return r, nil
				}
				o := h.open()
				if _, err := o.Store(context.Background(), "bot", "openrouter", secret.New("canary")); !errors.Is(err, seal.ErrManifest) || l.sent != 0 {
					t.Errorf("store: %v, %d manifests sent", err, l.sent)
				}
				l.agents = func(list []protocol.Agent) []protocol.Agent {
					list[0].Manifest = lie(list[0].Manifest)
					return list
				}
				if _, err := o.Agents(context.Background()); !errors.Is(err, seal.ErrManifest) {
					t.Errorf("agents: %v", err)
				}
			})
		}
	}
}

func TestAnOldManifestIsRefusedAlsoByTheNextCommand(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	h.pair("bot", scope.All())
	var old *protocol.ManifestReply
	l := h.withLiar()
	l.manifest = func(r protocol.ManifestReply) (protocol.ManifestReply, error) {
		if old == nil {
			old = &r
		}
		return r, nil
	}
	must(h.open().Store(ctx, "bot", "openrouter", secret.New("v")))(t)
	l.manifest = func(protocol.ManifestReply) (protocol.ManifestReply, error) { return *old, nil }
	sent := l.sent
	o := h.open()
	w := must(o.Resolve(ctx, "bot"))(t)
	if _, err := o.Store(ctx, w.String(), "openrouter", secret.New("w")); !errors.Is(err, seal.ErrManifest) || l.sent != sent {
		t.Fatalf("an old manifest was built on: %v", err)
	}
}

func TestTheOwnersOwnWalletCannotBeForgottenOrSwapped(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	agent, _ := h.pair("bot", scope.All())
	must(h.open().Store(ctx, "", "openrouter", secret.New("v")))(t)
	l := h.withLiar()
	o := h.open()
	l.manifest = func(protocol.ManifestReply) (protocol.ManifestReply, error) {
		return protocol.ManifestReply{}, &protocol.Problem{Status: 404, Code: protocol.CodeNotFound}
	}
	if _, err := o.Store(ctx, "", "other", secret.New("v")); !errors.Is(err, seal.ErrManifest) {
		t.Errorf("a forgotten manifest: %v", err)
	}
	l.manifest = func(protocol.ManifestReply) (protocol.ManifestReply, error) {
		return l.Broker.Manifest(ctx, must(h.token())(t), agent.Wallet)
	}
	if _, err := o.List(ctx, o.Wallet()); !errors.Is(err, seal.ErrManifest) {
		t.Errorf("the manifest of another wallet: %v", err)
	}
}

func (h *machine) token() (secret.String, error) {
	s, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	return s.Token, err
}

func TestAWithheldOrForeignRecordIsNamed(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	must(h.open().Store(ctx, "", "openrouter", secret.New("a")))(t)
	must(h.open().Store(ctx, "", "anthropic", secret.New("b")))(t)
	other := must(h.client().Record(ctx, must(h.token())(t), must(h.open().Resolve(ctx, ""))(t), "anthropic"))(t)
	l := h.withLiar()
	o := h.open()
	for name, lie := range map[string]func(protocol.SealedRecord) (protocol.SealedRecord, error){
		"withheld": func(protocol.SealedRecord) (protocol.SealedRecord, error) {
			return protocol.SealedRecord{}, &protocol.Problem{Status: 404, Code: protocol.CodeNotFound}
		},
		"of another service": func(protocol.SealedRecord) (protocol.SealedRecord, error) { return other, nil },
		"renamed": func(r protocol.SealedRecord) (protocol.SealedRecord, error) {
			r.Data = other.Data
			return r, nil
		},
		"garbage": func(r protocol.SealedRecord) (protocol.SealedRecord, error) { r.Data = []byte("x"); return r, nil },
	} {
		l.record = lie
		if v, err := o.Read(ctx, o.Wallet(), "openrouter"); !errors.Is(err, owner.ErrWithheld) || !v.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.record = nil
	if _, err := o.Read(ctx, o.Wallet(), "not-listed"); !errors.Is(err, owner.ErrNoCredential) {
		t.Errorf("not listed: %v", err)
	}
}

func TestASwappedPairingRequestIsForged(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	b := h.board(func(*pairing.Request) {})
	evil := h.board(func(r *pairing.Request) { r.Host = "evil" })
	l := h.withLiar()
	for name, lie := range map[string]func(protocol.FoundPairing) protocol.FoundPairing{
		"another board's request": func(f protocol.FoundPairing) protocol.FoundPairing {
			f.Request = evil.request
			return f
		},
		"another board's request and mac": func(f protocol.FoundPairing) protocol.FoundPairing {
			f.Request, f.MAC = evil.request, evil.key.RequestMAC()
			return f
		},
		"one byte": func(f protocol.FoundPairing) protocol.FoundPairing {
			f.Request = append(protocol.Bytes{}, f.Request...)
			f.Request[len(f.Request)-3] ^= 1
			return f
		},
	} {
		l.found = lie
		if _, err := h.open().Find(context.Background(), b.code); !errors.Is(err, pairing.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
