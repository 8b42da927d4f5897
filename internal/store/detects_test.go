package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// violation stops a history and keeps the words of the first one.
type violation string

type keepFirst struct{}

func (keepFirst) Fatalf(format string, args ...any) {
	panic(violation(strings.SplitN(fmt.Sprintf(format, args...), ":", 2)[0]))
}

// TestModelDetectsANaiveStore runs the naive store through the same machine, which has to
// find that it loses sessions, returns old ones and brings deleted ones back. A machine that
// finds nothing there would prove nothing of the real store.
func TestModelDetectsANaiveStore(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	for name, mixture := range map[string][]string{"with pairings": allSteps(), "without": slotSteps()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const histories = 300
			found, violated := violations(naiveMaker, true, mixture, histories)
			t.Logf("violations in %d histories: %v", histories, found)
			if violated < histories*4/5 {
				t.Errorf("only %d of %d histories of the naive store are violations", violated, histories)
			}
			for _, want := range []violation{"LOST", "STALE", "RESURRECTED"} {
				if found[want] == 0 {
					t.Errorf("the machine does not notice that the naive store's sessions are %s", want)
				}
			}
		})
	}
}

// TestModelDetectsABadPromote leaves the store as it is but for its Promote.
func TestModelDetectsABadPromote(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	for name, promote := range map[string]promotion{
		"that saves again when it is repeated":               saveAlways,
		"that looks for its session and keeps no other note": saveUnlessThere,
		"that removes the pending slot before it saves":      removeFirst,
		"that leaves the pending slot where it is":           saveOnly,
		"that forgets to save":                               removeOnly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const histories = 200
			found, violated := violations(promote.maker, false, allSteps(stepPromote, stepPromote), histories)
			t.Logf("violations in %d histories: %v", histories, found)
			if violated < histories/50 {
				t.Errorf("only %d of %d histories are violations", violated, histories)
			}
		})
	}
}

// violations counts the first violations of many histories.
func violations(make maker, noGenerations bool, mixture []string, histories int) (found map[violation]int, violated int) {
	found = map[violation]int{}
	for seed := range histories {
		if v := firstViolation(make, noGenerations, mixture, seed); v != "" {
			found[v]++
			violated++
		}
	}
	return found, violated
}

func firstViolation(make maker, noGenerations bool, mixture []string, seed int) (first violation) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			first = v
		default:
			panic(v)
		}
	}()
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	m := newMachine(words.ModeAuto, make)
	m.slot.NoGenerations = noGenerations
	m.run(keepFirst{}, historySteps, mixture, func(_ string, n int) int { return random.IntN(n) })
	return ""
}

// promotion stands in for the store's own.
type promotion func(ctx context.Context, s *store.Store, pending, id session.ID, v session.Session) (store.Info, error)

type promoter struct {
	*store.Store
	promote promotion
}

func (p promotion) maker(m *machine, process *storetest.Process) subject {
	return promoter{storeMaker(m, process).(*store.Store), p}
}

func (p promoter) Promote(ctx context.Context, pending, id session.ID, v session.Session) (store.Info, error) {
	return p.promote(ctx, p.Store, pending, id, v)
}

func saveAlways(ctx context.Context, s *store.Store, pending, id session.ID, v session.Session) (store.Info, error) {
	info, err := s.Save(ctx, id, v)
	if err != nil {
		return info, err
	}
	return info, s.Delete(ctx, pending)
}

// saveUnlessThere is what the store once did: device keys are of one pairing alone.
func saveUnlessThere(ctx context.Context, s *store.Store, pending, id session.ID, v session.Session) (store.Info, error) {
	kept, info, err := s.Load(ctx, id)
	if err != nil || !kept.DeviceKey.Equal(v.DeviceKey) {
		return saveAlways(ctx, s, pending, id, v)
	}
	return info, s.Delete(ctx, pending)
}

func removeFirst(ctx context.Context, s *store.Store, pending, id session.ID, v session.Session) (store.Info, error) {
	if err := s.Delete(ctx, pending); err != nil {
		return store.Info{}, err
	}
	return s.Promote(ctx, pending, id, v)
}

func saveOnly(ctx context.Context, s *store.Store, _, id session.ID, v session.Session) (store.Info, error) {
	return s.Save(ctx, id, v)
}

func removeOnly(ctx context.Context, s *store.Store, pending, id session.ID, _ session.Session) (store.Info, error) {
	err := s.Delete(ctx, pending)
	_, info, _ := s.Load(ctx, id)
	return info, err
}
