package store_test

import (
	"context"
	"testing"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestHoldsKnowsTheSessionWithoutTheKeychain(t *testing.T) {
	t.Parallel()
	ctx, ring, w := context.Background(), storetest.NewKeyring(), wallet.New()
	s, err := store.New(store.Config{Home: t.TempDir() + "/home", Keychain: ring.Client(nil)})
	if err != nil {
		t.Fatal(err)
	}
	id := session.DaemonID(w)
	v := session.Session{Token: session.NewToken(), Wallet: w, Scope: scope.All(), CreatedAt: 1, TTLSeconds: 1}
	other := v
	other.Token = session.NewToken()
	if _, ok := s.Holds(id, v); ok {
		t.Error("a slot that was never saved")
	}
	saved, err := s.Save(ctx, id, v)
	if err != nil || saved.Backend != words.BackendKeychain {
		t.Fatalf("%+v, %v", saved, err)
	}
	ring.SetFault(func(storetest.Operation) storetest.Fault { return storetest.FaultLost })
	if info, ok := s.Holds(id, v); !ok || info.Generation != saved.Generation || info.Backend != words.BackendKeychain {
		t.Errorf("%+v, %v", info, ok)
	}
	if _, ok := s.Holds(id, other); ok {
		t.Error("another session")
	}
	ring.SetFault(nil)
	if err := s.Delete(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Holds(id, v); ok {
		t.Error("a slot that was removed")
	}
}
