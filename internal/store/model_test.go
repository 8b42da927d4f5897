package store_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

const (
	// historiesVariable is how many histories TestModel runs, over all modes.
	historiesVariable = "AGENTKEYS_HISTORIES"

	historySteps = 40
	// failedSeeds lists the seeds that once failed: a mode and a number in each line.
	failedSeeds = "testdata/failed-histories"
	// slotPrefix marks the seeds of histories of slotSteps.
	slotPrefix = "slot-"
)

// TestModel checks invariants 1 to 6, 9, 10 and 13 on many histories of 40 steps, other
// ones in each run: `make test-model` runs 100,000. A history is its seed; one that
// fails belongs into testdata/failed-histories.
func TestModel(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	for mode, seed := range seedsOf(t) {
		mode, slotOnly := strings.CutPrefix(mode, slotPrefix)
		mixture := allSteps()
		if slotOnly {
			mixture = slotSteps()
		}
		modelHistory(named{t, seed}, words.Mode(mode), mixture, seed)
	}
	wanted, begin, start := wantedHistories(t), time.Now(), rand.Uint64()>>1
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < wanted && !t.Failed(); n = next.Add(1) - 1 {
				mode := modes()[n%3]
				if v := violationOf(mode, start+n); v != "" {
					t.Errorf("%s\nadd the line %q to %s", v, fmt.Sprint(mode, " ", start+n), failedSeeds)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d histories of %d steps from seed %d in %s", min(next.Load(), wanted), historySteps, start, time.Since(begin).Round(time.Second))
}

func modelHistory(t fatal, mode words.Mode, mixture []string, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(historySteps)))
	newMachine(mode, storeMaker).run(t, historySteps, mixture, func(_ string, n int) int { return random.IntN(n) })
}

// violationOf runs one history and returns the words of its violation.
func violationOf(mode words.Mode, seed uint64) (found string) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			found = string(v)
		default:
			panic(v)
		}
	}()
	modelHistory(panicking{}, mode, allSteps(), seed)
	return ""
}

// panicking stops a history without a test.
type panicking struct{}

func (panicking) Fatalf(format string, args ...any) { panic(violation(fmt.Sprintf(format, args...))) }

func wantedHistories(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv(historiesVariable)
	if text == "" {
		return 90
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// seedsOf reads the seeds that once failed; lines with # are comments.
func seedsOf(t *testing.T) func(yield func(string, uint64) bool) {
	t.Helper()
	f, err := os.Open(failedSeeds)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string, uint64) bool) {
		defer func() { _ = f.Close() }() // read only
		for lines := bufio.NewScanner(f); lines.Scan(); {
			mode, number, _ := strings.Cut(lines.Text(), " ")
			if mode == "#" {
				continue
			}
			seed, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", failedSeeds, err)
			}
			if !yield(mode, seed) {
				return
			}
		}
	}
}
