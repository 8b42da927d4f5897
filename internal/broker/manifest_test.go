package broker_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func put(t *testing.T, s *brokertest.Server, o *brokertest.Owner, w wallet.Wallet, ifMatch uint64, body protocol.PutManifest) string {
	t.Helper()
	return code(t, second(s.Broker.PutManifest(ctx(t), o.Credentials(), w, ifMatch, body)))
}

func TestPutManifest(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All(), "openrouter")
	other := s.Agent(owner, scope.All())
	stranger := brokertest.NewOwner()
	base := d.Manifest
	base.Revision = 2
	edit := func(change func(*seal.Manifest)) seal.Manifest {
		m := base
		m.Records = slices.Clone(m.Records)
		change(&m)
		return m
	}
	again := owner.Sealed(t, d, "openrouter", 1, "other value")
	for name, tc := range map[string]struct {
		ifMatch uint64
		body    protocol.PutManifest
		want    string
	}{
		"another revision is in force":    {5, owner.Put(t, base), protocol.CodeConflict},
		"the same revision again":         {1, owner.Put(t, edit(func(m *seal.Manifest) { m.Revision = 1; m.Alias = "x" })), protocol.CodeConflict},
		"signed by somebody else":         {1, stranger.Put(t, base), protocol.CodeDenied},
		"for another wallet":              {1, owner.Put(t, edit(func(m *seal.Manifest) { m.Wallet = other.Wallet })), protocol.CodeBadRequest},
		"for another owner":               {1, owner.Put(t, edit(func(m *seal.Manifest) { m.Owner = stranger.Wallet })), protocol.CodeBadRequest},
		"for another device":              {1, owner.Put(t, edit(func(m *seal.Manifest) { m.DeviceKey = other.Manifest.DeviceKey })), protocol.CodeBadRequest},
		"another signing key of a device": {1, owner.Put(t, edit(func(m *seal.Manifest) { m.DeviceSignKey = other.Manifest.DeviceSignKey })), protocol.CodeBadRequest},
		"a listed record that is missing": {1, owner.Put(t, edit(func(m *seal.Manifest) { m.Records[0].SHA256 = wrongHash })), protocol.CodeBadRequest},
		"a record revision used before":   {1, owner.Put(t, edit(func(m *seal.Manifest) { m.Records = nil }), again), protocol.CodeConflict},
		"a new owner's key":               {1, owner.Put(t, edit(func(m *seal.Manifest) { m.NextOwnerKey = other.Manifest.DeviceSignKey })), protocol.CodeBadRequest},
		"not a manifest":                  {1, protocol.PutManifest{Manifest: protocol.SignedManifest{Manifest: []byte("{}")}}, protocol.CodeBadRequest},
		"a record that is listed nowhere": {1, withRecord(owner.Put(t, base), owner.Sealed(t, d, "x", 1, "v")), protocol.CodeBadRequest},
		"a record sent twice":             {1, withRecord(owner.Put(t, edit(func(m *seal.Manifest) { m.Records = nil }), owner.Sealed(t, d, "openrouter", 2, "v")), again), protocol.CodeBadRequest},
	} {
		if got := put(t, s, owner, d.Wallet, tc.ifMatch, tc.body); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	reply := brokertest.Must(s.Broker.Manifest(ctx(t), owner.Credentials(), d.Wallet))(t)
	if reply.Revision != 1 {
		t.Errorf("a refused manifest stayed: revision %d", reply.Revision)
	}
}

const wrongHash = "0000000000000000000000000000000000000000000000000000000000000000"

func withRecord(body protocol.PutManifest, r protocol.SealedRecord) protocol.PutManifest {
	body.Records = append(body.Records, r)
	return body
}

func TestRevisionsOnlyGrow(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All(), "openrouter")
	m := d.Manifest
	m.Revision, m.Records = 2, nil
	if got := put(t, s, owner, d.Wallet, 1, owner.Put(t, m)); got != "" {
		t.Fatal(got)
	}
	if got := code(t, second(s.Broker.Record(ctx(t), d.Credentials(), d.Wallet, "openrouter"))); got != protocol.CodeNotFound {
		t.Errorf("a record that was removed: %q", got)
	}
	m.Revision = 3
	if got := put(t, s, owner, d.Wallet, 2, owner.Put(t, m, owner.Sealed(t, d, "openrouter", 1, "old"))); got != protocol.CodeConflict {
		t.Errorf("a removed revision that comes back: %q", got)
	}
	if got := put(t, s, owner, d.Wallet, 2, owner.Put(t, m, owner.Sealed(t, d, "openrouter", 2, "new"))); got != "" {
		t.Errorf("the next revision: %q", got)
	}
	reply := brokertest.Must(s.Broker.Manifest(ctx(t), owner.Credentials(), d.Wallet))(t)
	if diff := cmp.Diff(map[string]uint64{"openrouter": 2}, reply.Revisions); diff != "" {
		t.Error(diff)
	}
	if own := brokertest.Must(s.Broker.Manifest(ctx(t), d.Credentials(), d.Wallet))(t); own.Revisions != nil {
		t.Errorf("an agent is told %v", own.Revisions)
	}
}

func TestTheOwnersOwnWallet(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	me := &brokertest.Device{Key: owner.Identity, Sign: owner.Signing}
	if got := code(t, second(s.Broker.Manifest(ctx(t), owner.Credentials(), owner.Wallet))); got != protocol.CodeNotFound {
		t.Errorf("before the first: %q", got)
	}
	list := brokertest.Must(s.Broker.Records(ctx(t), owner.Credentials(), owner.Wallet))(t)
	if len(list.Records) != 0 {
		t.Errorf("%v", list)
	}
	record := owner.Sealed(t, me, "openrouter", 1, "value")
	stolen := &brokertest.Device{Key: seal.NewSeed(), Sign: owner.Signing}
	if got := put(t, s, owner, owner.Wallet, 0, owner.Put(t, owner.Draft(t, stolen, owner.Wallet, 1, scope.All()), record)); got != protocol.CodeBadRequest {
		t.Errorf("another key: %q", got)
	}
	if got := put(t, s, owner, owner.Wallet, 0, owner.Put(t, owner.Draft(t, me, owner.Wallet, 1, scope.All()), record)); got != "" {
		t.Fatal(got)
	}
	if got := code(t, second(s.Broker.Record(ctx(t), owner.Credentials(), owner.Wallet, "openrouter"))); got != "" {
		t.Error(got)
	}
	agents := brokertest.Must(s.Broker.Agents(ctx(t), owner.Credentials(), 0))(t)
	if len(agents.Agents) != 0 {
		t.Error("the owner is listed as an agent")
	}
	for name, err := range map[string]error{
		"get":      second(s.Broker.Agent(ctx(t), owner.Credentials(), owner.Wallet)),
		"revoke":   s.Broker.Revoke(ctx(t), owner.Credentials(), owner.Wallet),
		"teardown": s.Broker.Teardown(ctx(t), owner.Credentials(), owner.Wallet),
	} {
		if got := code(t, err); got != protocol.CodeNotFound {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, other := s.Owner(), s.Owner()
	a, b, foreign := s.Agent(owner, scope.All()), s.Agent(owner, scope.All()), s.Agent(other, scope.All())
	link := func(o *brokertest.Owner, d *brokertest.Device, alias string, emails ...string) string {
		m := d.Manifest
		m.Revision++
		m.Alias, m.Emails = alias, emails
		got := put(t, s, o, d.Wallet, d.Manifest.Revision, o.Put(t, m))
		if got == "" {
			d.Manifest = m
		}
		return got
	}
	if got := link(owner, a, "my-bot", "bot@example.org") + link(other, foreign, "my-bot"); got != "" {
		t.Fatal(got)
	}
	if got := link(owner, b, "my-bot"); got != protocol.CodeConflict {
		t.Errorf("the same alias twice: %q", got)
	}
	if got := link(owner, b, "b", "bot@example.org"); got != protocol.CodeConflict {
		t.Errorf("the same address twice: %q", got)
	}
	resolve := func(name string) string {
		out, err := s.Broker.Resolve(ctx(t), owner.Credentials(), name)
		if err != nil {
			return code(t, err)
		}
		return out.Wallet.String()
	}
	for name, want := range map[string]string{
		"my-bot": protocol.CodeConflict, "bot@example.org": a.Wallet.String(), b.Wallet.EIP55(): b.Wallet.String(),
		"nobody": protocol.CodeNotFound, wallet.New().String(): protocol.CodeNotFound, "a b": protocol.CodeBadRequest,
	} {
		if got := resolve(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := s.Broker.Teardown(ctx(t), other.Credentials(), foreign.Wallet); err != nil {
		t.Fatal(err)
	}
	if got := resolve("my-bot"); got != a.Wallet.String() {
		t.Errorf("after the other one is gone: %q", got)
	}
	if got := resolve(foreign.Wallet.String()); got != protocol.CodeNotFound {
		t.Errorf("a wallet that was torn down: %q", got)
	}
}
