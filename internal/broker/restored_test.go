package broker_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/broker/sqlite"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
)

// A restored database may be older than what the owner said since, so no session gets anything
// from it before that owner has opened the account with its key.
func TestAnAccountThatWasPutBackWaitsForItsOwner(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner, other := s.Owner(), s.Owner()
	d, revoked := s.Agent(owner, scope.All(), "openrouter"), s.Agent(owner, scope.All())
	foreign := s.Agent(other, scope.All())
	ask := func(c broker.Credentials) string {
		t.Helper()
		_, err := s.Broker.Session(ctx(t), c)
		return code(t, err)
	}
	for _, a := range []*brokertest.Device{d, revoked, foreign} {
		if got := ask(a.Credentials()); got != "" {
			t.Fatal(got)
		}
	}
	copied := s.Copy()
	if err := s.Broker.Revoke(ctx(t), owner.Credentials(), revoked.Wallet); err != nil {
		t.Fatal(err)
	}
	before := s.Broker.Info().Epoch
	s.PutBack(copied)
	epoch := s.Broker.Info().Epoch
	if epoch == before {
		t.Fatal("the same epoch")
	}
	knows := owner.Credentials()
	knows.Epoch = epoch
	old := knows
	old.Epoch = before
	wrong := d.Credentials()
	wrong.Epoch = epoch // an agent cannot say that it knows
	for name, c := range map[string]broker.Credentials{
		"an agent": d.Credentials(), "the revoked one": revoked.Credentials(), "an agent that names the epoch": wrong,
		"the owner": owner.Credentials(), "the owner by the old epoch": old, "another account's agent": foreign.Credentials(),
	} {
		if got := ask(c); got != protocol.CodeRestored {
			t.Errorf("%s: %q", name, got)
		}
	}
	if err := s.Broker.Revoke(ctx(t), knows, revoked.Wallet); err != nil {
		t.Errorf("the owner that knows: %v", err)
	}
	if got := code(t, s.OpenAccount(owner, seal.NewSeed())); got != protocol.CodeDenied {
		t.Errorf("opened without the key: %q", got)
	}
	if got := ask(d.Credentials()); got != protocol.CodeRestored {
		t.Errorf("before it is open: %q", got)
	}
	if err := s.OpenAccount(owner, owner.Signing); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		c    broker.Credentials
		want string
	}{
		"an agent": {d.Credentials(), ""}, "the revoked one": {revoked.Credentials(), protocol.CodeSessionRevoked},
		"the owner": {owner.Credentials(), ""}, "another account's agent": {foreign.Credentials(), protocol.CodeRestored},
	} {
		if got := ask(tc.c); got != tc.want {
			t.Errorf("after it is open: %s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestADatabaseBehindItsMarkWasPutBack(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	start := func(kept *broker.Mark) (*broker.Broker, broker.Mark) {
		t.Helper()
		b := brokertest.Must(broker.New(context.Background(), broker.Config{Store: store, Kept: kept}))(t)
		return b, brokertest.Must(b.Mark(ctx(t)))(t)
	}
	b, first := start(nil)
	owner := brokertest.NewOwner()
	setup := session.NewToken()
	if err := b.SetSetup(ctx(t), session.TokenHash(setup)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateAccount(ctx(t), brokertest.As(setup), owner.Account(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Changed():
	default:
		t.Error("nobody is told of the change")
	}
	mark := brokertest.Must(b.Mark(ctx(t)))(t)
	if mark.Changes <= first.Changes || mark.Epoch != first.Epoch {
		t.Errorf("%+v became %+v", first, mark)
	}
	for name, tt := range map[string]struct {
		kept *broker.Mark
		same bool
	}{
		"no mark yet":         {nil, true},
		"the mark":            {&mark, true},
		"a mark that lags":    {&first, true},
		"a mark ahead":        {&broker.Mark{Epoch: mark.Epoch, Changes: mark.Changes + 1}, false},
		"of another database": {&broker.Mark{Epoch: broker.NewEpoch()}, false},
		"that cannot be read": {&broker.Mark{}, false},
	} {
		_, before := start(nil)
		tt.kept = in(tt.kept, mark.Epoch, before.Epoch)
		if _, after := start(tt.kept); (after.Epoch == before.Epoch) != tt.same {
			t.Errorf("%s: %s became %s", name, before.Epoch, after.Epoch)
		}
	}
}

// in moves a mark of the first epoch to the present one, which an earlier case began.
func in(m *broker.Mark, first, now string) *broker.Mark {
	if m == nil || m.Epoch != first {
		return m
	}
	return &broker.Mark{Epoch: now, Changes: m.Changes}
}
