package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// fixture is one store on a disk and a keychain of its own, with a clock.
type fixture struct {
	*store.Store
	ring  *storetest.Keyring
	disk  *storetest.Disk
	clock time.Time
	id    session.ID
}

func newFixture(t *testing.T, mode words.Mode) *fixture {
	t.Helper()
	b := &fixture{ring: storetest.NewKeyring(), clock: time.Unix(1_700_000_000, 0), id: session.Master()}
	b.disk = storetest.NewDisk(func() time.Time { return b.clock })
	b.start(t, mode)
	return b
}

// start starts the store in a new process.
func (b *fixture) start(t *testing.T, mode words.Mode) *storetest.Process {
	t.Helper()
	process := b.disk.Process()
	b.Store = open(t, store.Config{
		Home: "/home", Mode: mode, Keychain: b.ring.Client(process), FS: process,
		Now: func() time.Time { return b.clock }, BootID: func() string { return "boot" },
	})
	return process
}

func (b *fixture) after(t *testing.T, d time.Duration, want words.Backend) {
	t.Helper()
	b.clock = b.clock.Add(d)
	must(t, b.ReconcileSlot(t.Context(), b.id))
	slots, err := b.List()
	if err != nil || len(slots) != 1 || slots[0].Backend != want {
		t.Fatalf("at %v: %+v, %v; want %s", b.clock, slots, err, want)
	}
}

func TestASessionMovesToAHealthyKeychain(t *testing.T) {
	t.Parallel()
	t.Run("at once at start", func(t *testing.T) {
		t.Parallel()
		b := newFixture(t, words.ModeFile)
		save(t, b.Store, b.id, newSession(wallet.New()))
		b.start(t, words.ModeAuto)
		b.after(t, 0, words.BackendKeychain)
	})
	t.Run("later after three healthy probes over 60 s", func(t *testing.T) {
		t.Parallel()
		b := newFixture(t, words.ModeAuto)
		b.ring.SetState(words.KeychainLocked)
		save(t, b.Store, b.id, newSession(wallet.New()))
		b.after(t, 0, words.BackendFile)
		b.ring.SetState(words.KeychainUnlocked)
		b.after(t, 20*time.Second, words.BackendFile)
		b.after(t, 20*time.Second, words.BackendFile)
		b.after(t, 20*time.Second, words.BackendFile) // three, but over 40 s
		b.ring.SetState(words.KeychainLocked)
		b.after(t, 20*time.Second, words.BackendFile) // begins anew
		b.ring.SetState(words.KeychainUnlocked)
		b.after(t, 20*time.Second, words.BackendFile)
		b.after(t, 70*time.Second, words.BackendFile) // over 60 s, but two
		b.after(t, 1*time.Second, words.BackendKeychain)
	})
	t.Run("not for 10 min after a failure", func(t *testing.T) {
		t.Parallel()
		b := newFixture(t, words.ModeFile)
		save(t, b.Store, b.id, newSession(wallet.New()))
		b.start(t, words.ModeAuto)
		b.ring.SetFault(inTurn(0, []storetest.Fault{storetest.FaultLost}))
		if err := b.ReconcileSlot(t.Context(), b.id); !errors.Is(err, store.ErrInDoubt) {
			t.Fatalf("reconcile: %v", err)
		}
		b.ring.SetFault(nil)
		b.ring.Restart() // ends the fence
		puts := b.ring.Calls("put")
		for range 9 {
			b.after(t, time.Minute, words.BackendFile)
		}
		if n := b.ring.Calls("put") - puts; n != 0 {
			t.Fatalf("%d puts within 10 min", n)
		}
		for range 3 {
			b.clock = b.clock.Add(31 * time.Second)
			must(t, b.ReconcileSlot(t.Context(), b.id))
		}
		b.after(t, 31*time.Second, words.BackendKeychain)
	})
}

func TestAFenceStandsUntilItsProviderIsGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happen func(*fixture)
		over   bool
	}{
		"time goes by":                 {func(b *fixture) { b.clock = b.clock.Add(24 * time.Hour) }, false},
		"the provider is replaced":     {func(b *fixture) { b.ring.Restart() }, true},
		"the bus is replaced":          {func(b *fixture) { b.ring.RestartBus() }, true},
		"the put is done late":         {func(b *fixture) { b.ring.ApplyLate(0) }, false},
		"the keychain locks and opens": {func(b *fixture) { b.ring.SetState(words.KeychainLocked); b.ring.SetState(words.KeychainUnlocked) }, false},
		"a newer value shows": {func(b *fixture) {
			b.ring.Restart()
			b.ring.Set("master", "ak1.99.e30")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, words.ModeAuto)
			b.ring.SetFault(inTurn(0, []storetest.Fault{storetest.FaultHang}))
			v := newSession(wallet.New())
			info := save(t, b.Store, b.id, v)
			if info.Backend != words.BackendFile || !info.InDoubt || info.Generation != 2 || info.Fallback != "put" {
				t.Fatalf("save: %+v", info)
			}
			b.ring.SetFault(nil)
			c.happen(b)
			_ = b.ReconcileSlot(t.Context(), b.id) // ErrInconsistent where a newer value shows
			info = wantToken(t, b.Store, b.id, v)
			if info.InDoubt == c.over {
				t.Fatalf("in doubt: %v, want %v", info.InDoubt, !c.over)
			}
			if moved := info.Backend == words.BackendKeychain; moved != c.over {
				t.Fatalf("moved: %v", moved)
			}
		})
	}
}

// The provider was replaced between the probe and a put that then hung: the fence must not be
// removed because the first provider has ended.
func TestAFenceNamesTheProviderThatHasTheWrite(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeAuto)
	b.ring.SetFault(func(op storetest.Operation) storetest.Fault {
		if op == storetest.OperationPut {
			b.ring.ReplaceDuringCall()
			return storetest.FaultHang
		}
		return storetest.FaultNone
	})
	v := newSession(wallet.New())
	save(t, b.Store, b.id, v)
	b.ring.SetFault(nil)
	must(t, b.ReconcileSlot(t.Context(), b.id))
	if info := wantToken(t, b.Store, b.id, v); !info.InDoubt {
		t.Fatal("the fence is gone though the put can still be done")
	}
}

func TestKeychainModeKeepsTheOldSessionOnFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breakIt func(*storetest.Keyring)
		want    error
	}{
		"locked":            {func(r *storetest.Keyring) { r.SetState(words.KeychainLocked) }, store.ErrUnavailable},
		"asks at writes":    {func(r *storetest.Keyring) { r.SetState(words.KeychainPromptsOnWrite) }, store.ErrUnavailable},
		"too small":         {func(r *storetest.Keyring) { r.SetMax(100) }, store.ErrTooBig},
		"hangs":             {func(r *storetest.Keyring) { r.SetFault(inTurn(0, []storetest.Fault{storetest.FaultLost})) }, store.ErrInDoubt},
		"says it did":       {func(r *storetest.Keyring) { r.SetFault(inTurn(0, []storetest.Fault{storetest.FaultFalseReply})) }, store.ErrInDoubt},
		"cannot be re-read": {func(r *storetest.Keyring) { r.SetFault(inTurn(1, []storetest.Fault{storetest.FaultError})) }, store.ErrInDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, words.ModeKeychain)
			old, next := newSession(wallet.New()), newSession(wallet.New())
			save(t, b.Store, b.id, old)
			c.breakIt(b.ring)
			if _, err := b.Save(t.Context(), b.id, next); !errors.Is(err, c.want) {
				t.Fatalf("save: %v, want %v", err, c.want)
			}
			b.ring.SetState(words.KeychainUnlocked)
			v, info, err := b.Load(t.Context(), b.id)
			if err != nil || info.Backend != words.BackendKeychain {
				t.Fatalf("load: %+v, %v", info, err)
			}
			if name != "cannot be re-read" && !v.Token.Equal(old.Token) {
				t.Fatal("the old session is gone")
			}
		})
	}
}

// Two processes may remove one expired pairing: the second finds it gone, which is no fault.
func TestAnExpiredPairingThatIsRemovedInBetweenIsNoFault(t *testing.T) {
	t.Parallel()
	for at := range 40 {
		b := newFixture(t, words.ModeFile)
		dead := session.NewPendingID()
		save(t, b.Store, dead, newPending())
		other := b.Store
		b.clock = b.clock.Add(25 * time.Hour)
		process := b.disk.Process()
		s := open(t, store.Config{Home: "/home", Mode: words.ModeFile, FS: process, Now: func() time.Time { return b.clock }})
		process.Interrupt(at, func() { _ = other.ReconcileSlot(t.Context(), dead) })
		if err := s.ReconcileSlot(t.Context(), dead); err != nil {
			t.Errorf("the other comes before operation %d: %v", at, err)
		}
		wantLoadError(t, s, dead, store.ErrNoSession)
	}
}

func TestExpiredPairingsAreRemoved(t *testing.T) {
	t.Parallel()
	b := newFixture(t, words.ModeFile)
	dead, held, recovering := session.NewPendingID(), session.NewPendingID(), session.NewPendingID()
	save(t, b.Store, dead, newPending())
	save(t, b.Store, held, newPending())
	v := newPending()
	v.Wallet = wallet.New()
	save(t, b.Store, recovering, v)
	_, err := b.HoldRun(held)
	must(t, err)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{24 * time.Hour, 3}, {time.Second, 1}} {
		b.clock = b.clock.Add(c.after)
		must(t, b.Reconcile(t.Context()))
		if slots, err := b.List(); err != nil || len(slots) != c.want {
			t.Fatalf("after %v: %d slots, %v; want %d", c.after, len(slots), err, c.want)
		}
	}
	wantLoadError(t, b.Store, dead, store.ErrNoSession)
	if n := b.ring.Calls("probe"); n != 0 {
		t.Fatalf("%d probes for pending slots", n)
	}
}
