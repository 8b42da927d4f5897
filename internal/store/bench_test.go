package store_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

func BenchmarkSaveFile(b *testing.B) {
	s, v := benchStore(b), newSession(wallet.New())
	for b.Loop() {
		if _, err := s.Save(b.Context(), session.Master(), v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadFile(b *testing.B) {
	s := benchStore(b)
	if _, err := s.Save(b.Context(), session.Master(), newSession(wallet.New())); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := s.Load(b.Context(), session.Master()); err != nil {
			b.Fatal(err)
		}
	}
}

func benchStore(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.New(store.Config{Home: b.TempDir(), Mode: words.ModeFile})
	if err != nil {
		b.Fatal(err)
	}
	return s
}
