package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// modes are run one by one by every random test.
func modes() []words.Mode { return []words.Mode{words.ModeAuto, words.ModeFile, words.ModeKeychain} }

// TestRandomHistories checks invariants 1 to 6, 9, 10 and 13 on random histories of any
// length, and makes a short one of what it finds, which rapid keeps in testdata and
// tries first from then on.
func TestRandomHistories(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := newMachine(mode, storeMaker)
				draw := func(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label) }
				t.Repeat(map[string]func(*rapid.T){
					"step": func(t *rapid.T) { m.run(t, 1, allSteps(), draw) },
				})
			})
		})
	}
}

// histories runs histories of a mixture that favours what an invariant is about.
// They are the same in every run; their number is what fits into a short test.
func histories(t *testing.T, mixture []string) {
	t.Helper()
	needs.Sequential(t)
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, uint64(len(mixture))))
				draw := func(_ string, n int) int { return random.IntN(n) }
				newMachine(mode, storeMaker).run(named{t, seed}, 40, mixture, draw)
			}
		})
	}
}

// named puts the history's number before the words of a violation.
type named struct {
	t    *testing.T
	seed uint64
}

func (n named) Fatalf(format string, args ...any) {
	n.t.Helper()
	n.t.Fatalf("history %d: %s", n.seed, fmt.Sprintf(format, args...))
}
