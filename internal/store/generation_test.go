package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// A head with a generation near the end of the numbers never comes to a lower one: one more
// save works, or is an error that changes nothing.
func TestAGenerationDoesNotWrapAround(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		generation uint64
		saves      bool
	}{{1<<63 - 2, true}, {1<<63 - 1, false}} {
		s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
		first := newSession(wallet.New())
		save(t, s, id, first)
		path := filepath.Join(s.Dir(id), "session.json")
		data, err := os.ReadFile(path)
		must(t, err)
		data = regexp.MustCompile(`"generation":\d+`).ReplaceAll(data, fmt.Appendf(nil, `"generation":%d`, c.generation))
		must(t, os.WriteFile(path, data, 0o600))
		second := newSession(wallet.New())
		info, err := s.Save(t.Context(), id, second)
		if saved := err == nil; saved != c.saves || saved && info.Generation <= c.generation {
			t.Errorf("after %d: generation %d, %v", c.generation, info.Generation, err)
		}
		if c.saves {
			wantToken(t, s, id, second)
		} else {
			wantToken(t, s, id, first)
		}
	}
}
