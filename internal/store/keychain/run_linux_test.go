package keychain_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// reach waits until Run has seen the state, told by Changed alone, and fails when
// that takes more than the 2 s of the specification.
func reach(t *testing.T, k *keychain.Keychain, want store.KeychainState) {
	t.Helper()
	late := time.After(2 * time.Second)
	for {
		if p, _ := k.Last(); p.State == want {
			return
		}
		select {
		case <-k.Changed():
		case <-late:
			p, _ := k.Last()
			t.Fatalf("after 2 s it is %s (%s), not %s", p.State, p.Reason, want)
		}
	}
}

// Not parallel: it counts what the process holds.
func TestRunSeesEachChangeOfARealKeyringWithinTwoSecondsAndLeavesNothing(t *testing.T) {
	ignore, before := goleak.IgnoreCurrent(), held(t)
	bus := keyringtest.NewBus(t, "")
	home := keyringtest.Dir(t)
	g := keyringtest.StartGnomeKeyring(t, bus.Address, home, keyringtest.Locked)
	k := newKeychain(t, keyringtest.Env(bus.Address, home)...)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	reach(t, k, store.StateLocked)
	// Past the look that follows the subscription, only a signal can be in time.
	time.Sleep(600 * time.Millisecond)
	g.Unlock()
	reach(t, k, store.StateUnlocked)
	g.Lock()
	reach(t, k, store.StateLocked)
	g.Kill()
	reach(t, k, store.StateNoOwner)
	g = keyringtest.StartGnomeKeyring(t, bus.Address, home, keyringtest.Unlocked)
	reach(t, k, store.StateUnlocked)
	bus.Kill()
	reach(t, k, store.StateNoBus)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	g.Kill()
	goleak.VerifyNone(t, ignore)
	if after := held(t); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
}
