package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestSaveOverReplacesOnlyWhatTheCallerRead(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, err := store.New(store.Config{Home: t.TempDir(), Mode: words.ModeFile})
	if err != nil {
		t.Fatal(err)
	}
	w := wallet.New()
	id := session.DaemonID(w)
	mine := session.Session{Token: session.NewToken(), Wallet: w, Scope: scope.None(), CreatedAt: 1, TTLSeconds: 1}
	if _, err := s.SaveOver(ctx, id, 1, mine); !errors.Is(err, store.ErrStale) {
		t.Fatalf("no slot: got %v, want ErrStale", err)
	}
	first, err := s.Save(ctx, id, mine)
	if err != nil {
		t.Fatal(err)
	}
	theirs := mine
	theirs.Token = session.NewToken()
	second, err := s.SaveOver(ctx, id, first.Generation, theirs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveOver(ctx, id, first.Generation, mine); !errors.Is(err, store.ErrStale) {
		t.Fatalf("over an older generation: got %v, want ErrStale", err)
	}
	got, info, err := s.Load(ctx, id)
	if err != nil || !got.Token.Equal(theirs.Token) || info.Generation != second.Generation {
		t.Fatalf("the newer session is gone: %+v, %v", info, err)
	}
	if err := s.Delete(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveOver(ctx, id, second.Generation, mine); !errors.Is(err, store.ErrStale) {
		t.Fatalf("over a tombstone: got %v, want ErrStale", err)
	}
}
