package storetest_test

import (
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// TestLedger: what a reader may see, and the word for what it may not.
func TestLedger(t *testing.T) {
	t.Parallel()
	saved := func(l *storetest.Ledger, key string, generation uint64) error {
		return l.AckSave(l.Begin(key, ""), generation)
	}
	see := func(l *storetest.Ledger, key string, generation uint64) error {
		_, err := l.SawSession(key, generation, l.Look())
		return err
	}
	for name, c := range map[string]struct {
		want string // beginning of the violation; empty = none
		run  func(l *storetest.Ledger) error
	}{
		"nothing before the first save": {"", func(l *storetest.Ledger) error { return l.SawNothing(l.Look()) }},
		"nothing after a save": {"LOST", func(l *storetest.Ledger) error {
			_ = saved(l, "a", 1)
			return l.SawNothing(l.Look())
		}},
		"nothing, by a reader who began before the save ended": {"", func(l *storetest.Ledger) error {
			before := l.Look()
			_ = saved(l, "a", 1)
			return l.SawNothing(before)
		}},
		"an older session": {"STALE", func(l *storetest.Ledger) error {
			_, _ = saved(l, "a", 1), saved(l, "b", 2)
			return see(l, "a", 1)
		}},
		"a generation that was given before": {"STALE", func(l *storetest.Ledger) error {
			_ = saved(l, "a", 1)
			return saved(l, "b", 1)
		}},
		"two sessions of one generation": {"FORKED", func(l *storetest.Ledger) error {
			l.Fail(l.Begin("a", ""))
			_, _ = see(l, "a", 1), l.Begin("b", "")
			return see(l, "b", 1)
		}},
		"a deleted session": {"RESURRECTED", func(l *storetest.Ledger) error {
			_ = saved(l, "a", 1)
			l.AckDelete(l.Begin("", ""))
			return see(l, "a", 1)
		}},
		"a save that failed": {"", func(l *storetest.Ledger) error {
			l.Fail(l.Begin("a", ""))
			return see(l, "a", 1)
		}},
		"a save that failed, after one that did not": {"STALE", func(l *storetest.Ledger) error {
			l.Fail(l.Begin("a", ""))
			_ = saved(l, "b", 2)
			return see(l, "a", 3)
		}},
		"either of two that overlapped": {"", func(l *storetest.Ledger) error {
			a := l.Begin("a", "")
			l.AckDelete(l.Begin("", ""))
			_ = l.AckSave(a, 1)
			return l.SawNothing(l.Look())
		}},
		"first one, then the other of two that overlapped": {"RESURRECTED", func(l *storetest.Ledger) error {
			a := l.Begin("a", "")
			l.AckDelete(l.Begin("", ""))
			_, _ = l.AckSave(a, 1), l.SawNothing(l.Look())
			return see(l, "a", 1)
		}},
		"what only a reader saw, lost with the power": {"", func(l *storetest.Ledger) error {
			_ = saved(l, "a", 1)
			l.Fail(l.Begin("b", ""))
			_ = see(l, "b", 2)
			l.PowerCut()
			return see(l, "a", 1)
		}},
		"the same, without a power cut": {"STALE", func(l *storetest.Ledger) error {
			_ = saved(l, "a", 1)
			l.Fail(l.Begin("b", ""))
			_ = see(l, "b", 2)
			return see(l, "a", 1)
		}},
		"the first generation again after a removal": {"", func(l *storetest.Ledger) error {
			_ = saved(l, "a", 4)
			l.EndRemoval(l.BeginRemoval(), true)
			return saved(l, "b", 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.run(storetest.NewLedger())
			if err == nil && c.want != "" || err != nil && (c.want == "" || !strings.HasPrefix(err.Error(), c.want+":")) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
