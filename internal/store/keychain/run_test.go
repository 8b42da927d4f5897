package keychain_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/words"
)

// script is a platform that says what the test sets and notes when it was asked.
type script struct {
	mu     sync.Mutex
	begin  time.Time
	state  words.KeychainState
	probes []time.Duration // since begin
	takes  time.Duration
	wake   func()
	lose   chan struct{} // ends a watch
}

func newScript(state words.KeychainState) *script {
	return &script{begin: time.Now(), state: state, lose: make(chan struct{})}
}

func (s *script) Probe(ctx context.Context) (store.Probe, string) {
	s.mu.Lock()
	s.probes = append(s.probes, time.Since(s.begin).Round(time.Millisecond))
	p, takes := store.Probe{State: s.state, Provider: "unknown"}, s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		p.State = words.KeychainHung
	}
	return p, "unix:path=/bus"
}

func (s *script) Watch(ctx context.Context, wake func()) bool {
	s.mu.Lock()
	s.wake = wake
	s.mu.Unlock()
	wake()
	select {
	case <-ctx.Done():
	case <-s.lose:
	}
	return true
}

func (s *script) set(state words.KeychainState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

func (s *script) signal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// seen returns the times of the probes since the last call.
func (s *script) seen() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.probes = nil }()
	return slices.Clone(s.probes)
}

// running starts Run in the bubble and returns what ends it.
func running(t *testing.T, k *keychain.Keychain) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func wantLooks(t *testing.T, s *script, want ...time.Duration) {
	t.Helper()
	if diff := cmp.Diff(want, s.seen()); diff != "" {
		t.Errorf("probes (-want +got):\n%s", diff)
	}
}

const ms = time.Millisecond

func TestRunProbesAHealthyKeychainEveryTwoMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainUnlocked)
		k := keychain.NewWith(keychain.Config{}, s)
		defer running(t, k)()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		// The second probe is for what happened before the signals were listened to.
		wantLooks(t, s, 0, 250*ms, 120*time.Second+250*ms, 240*time.Second+250*ms)
	})
}

func TestRunBacksOffFromAnUnhealthyKeychainUnlessASessionWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainLocked)
		k := keychain.NewWith(keychain.Config{}, s)
		defer running(t, k)()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		var gaps []time.Duration
		probes := s.seen()
		for i := 2; i < len(probes); i++ {
			gaps = append(gaps, (probes[i] - probes[i-1]).Round(time.Second))
		}
		want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second}
		if diff := cmp.Diff(want, gaps); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
		k.SetWaiting(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(s.seen()); n < 4 || n > 5 {
			t.Errorf("%d probes in a minute while a session waits", n)
		}
	})
}

func TestASignalIsFollowedByAProbeWithinASecondAndChangedIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainLocked)
		var observed []words.KeychainState
		k := keychain.NewWith(keychain.Config{Observe: func(p store.Probe) { observed = append(observed, p.State) }}, s)
		stop := running(t, k)
		time.Sleep(time.Second)
		synctest.Wait()
		<-k.Changed() // the first probe
		s.set(words.KeychainUnlocked)
		s.signal()
		time.Sleep(time.Second)
		synctest.Wait()
		select {
		case <-k.Changed():
		default:
			t.Error("the change was not told")
		}
		if p, ok := k.Last(); !ok || p.State != words.KeychainUnlocked {
			t.Errorf("last %+v", p)
		}
		s.seen()
		for range 100 { // a provider that never stops signalling
			s.signal()
			time.Sleep(100 * ms)
		}
		synctest.Wait()
		if n := len(s.seen()); n > 14 {
			t.Errorf("%d probes in 10 s", n)
		}
		select {
		case <-k.Changed():
			t.Error("told without a change")
		default:
		}
		stop()
		if len(observed) < 3 {
			t.Errorf("observed %v", observed)
		}
	})
}

func TestALostBusIsProbedAtOnceAndListenedToAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainUnlocked)
		k := keychain.NewWith(keychain.Config{}, s)
		defer running(t, k)()
		time.Sleep(10 * time.Second)
		s.seen()
		s.set(words.KeychainNoBus)
		s.lose <- struct{}{}
		time.Sleep(ms)
		synctest.Wait()
		wantLooks(t, s, 10*time.Second)
		s.set(words.KeychainUnlocked)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s.seen()
		s.signal() // only if the second watch stands
		time.Sleep(time.Second)
		synctest.Wait()
		if len(s.seen()) == 0 {
			t.Error("no probe after the signal")
		}
	})
}

func TestManyCallersShareOneProbeAndAreNotHeldLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainUnlocked)
		s.takes = time.Second
		k := keychain.NewWith(keychain.Config{Timeout: 2 * time.Second}, s)
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() { wantState(t, k.Probe(t.Context()), words.KeychainUnlocked) })
		}
		callers.Wait()
		wantLooks(t, s, 0)
		for range 50 {
			callers.Go(func() { wantState(t, k.ProbeNow(t.Context()), words.KeychainUnlocked) })
		}
		callers.Wait()
		if n := len(s.seen()); n != 1 {
			t.Errorf("%d probes for 50 callers", n)
		}
		s.takes = time.Hour
		begin := time.Now()
		for range 50 {
			callers.Go(func() { wantState(t, k.ProbeNow(t.Context()), words.KeychainHung) })
		}
		callers.Wait()
		if took := time.Since(begin); took > 2*time.Second+10*ms {
			t.Errorf("took %v", took)
		}
	})
}

func TestACallersImpatienceIsNotKeptAsTheKeychainsState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainUnlocked)
		k := keychain.NewWith(keychain.Config{}, s)
		k.Probe(t.Context())
		time.Sleep(ms)
		s.takes = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		wantState(t, k.ProbeNow(ctx), words.KeychainHung)
		wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	})
}

func TestTheClockMayJumpByYears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(words.KeychainUnlocked)
		k := keychain.NewWith(keychain.Config{}, s)
		k.Probe(t.Context())
		time.Sleep(20 * 365 * 24 * time.Hour)
		s.set(words.KeychainLocked)
		wantState(t, k.Probe(t.Context()), words.KeychainLocked)
	})
}

func TestStepsAndJitter(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		state   words.KeychainState
		step    time.Duration
		changed bool
		want    time.Duration
	}{
		"healthy":              {words.KeychainUnlocked, 5 * time.Second, false, 2 * time.Minute},
		"KeePassXC":            {words.KeychainPromptsOnWrite, 0, true, 2 * time.Minute},
		"first failure":        {words.KeychainLocked, 2 * time.Minute, true, 5 * time.Second},
		"second failure":       {words.KeychainLocked, 5 * time.Second, false, 10 * time.Second},
		"another failure":      {words.KeychainHung, 5 * time.Minute, true, 5 * time.Second},
		"no more than 5 min":   {words.KeychainNoBus, 5 * time.Minute, false, 5 * time.Minute},
		"never where disabled": {words.KeychainDisabled, 0, true, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := keychain.NextInterval(tt.state, tt.step, tt.changed); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	for r, want := range map[float64]time.Duration{0: 80 * time.Second, 0.5: 100 * time.Second, 0.999999: 120 * time.Second} {
		if got := keychain.Spread(100*time.Second, r).Round(time.Second); got != want {
			t.Errorf("spread at %v is %v, want %v", r, got, want)
		}
	}
}
