package store_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

func TestInvariant01AcknowledgedSaveIsNeverLost(t *testing.T) {
	t.Parallel()
	histories(t, allSteps(stepSave, stepSave, stepFaults, stepFaults, stepState, stepPowerCut))
}

func TestInvariant02NoSessionOnlyBeforeSaveOrAfterDelete(t *testing.T) {
	t.Parallel()
	histories(t, allSteps(stepState, stepState, stepFaults, stepCrash, stepLoad))
}

func TestInvariant03GenerationsNeverGoDown(t *testing.T) {
	t.Parallel()
	histories(t, allSteps(stepLoad, stepLoad, stepLate, stepReconcile, stepRestart))
}

func TestInvariant04NothingDeletedComesBack(t *testing.T) {
	t.Parallel()
	histories(t, allSteps(stepDelete, stepDelete, stepDelete, stepPromote, stepFaults, stepLate, stepLate, stepReconcile))
}

// The case that was measured: a put timed out after 2 s and was done after 5 s.
func TestInvariant05LateWritesChangeNothing(t *testing.T) {
	t.Parallel()
	t.Run("a put that timed out is done after the save went to the file", func(t *testing.T) {
		t.Parallel()
		m := newMachine(words.ModeAuto, storeMaker)
		m.ring.SetFault(inTurn(0, []storetest.Fault{storetest.FaultHang}))
		for _, err := range []error{m.save(t, 0), m.save(t, 0)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for m.ring.Late() > 0 {
			m.ring.ApplyLate(0)
			if err := m.load(t, 1); err != nil {
				t.Fatal(err)
			}
		}
		m.ring.SetFault(nil)
		m.reconcile(0)
		if items := m.ring.Items(); len(items) != 0 {
			t.Fatalf("the abandoned generation is still there: %d items", len(items))
		}
		m.heal(t)
	})
	histories(t, allSteps(stepFaults, stepFaults, stepLate, stepLate, stepLate, stepSave))
}

func TestInvariant06AHealthyKeychainRestoresTheSlot(t *testing.T) {
	t.Parallel()
	histories(t, allSteps(stepHeal, stepHeal, stepHeal, stepState, stepFaults, stepCrash))
}

func TestInvariant09ACrashAnywhereKeepsTheRest(t *testing.T) {
	t.Parallel()
	histories(t, allSteps(stepCrash, stepCrash, stepCrash, stepPowerCut, stepPowerCut, stepKill))
}

// TestInvariant09EveryCrashPoint kills the process at each operation of a save and
// of a delete in turn, with and without loss of power.
func TestInvariant09EveryCrashPoint(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	for _, mode := range modes() {
		for _, fault := range append(storetest.Faults(), storetest.FaultNone) {
			t.Run(fmt.Sprintf("%s mode, keychain fault %q", mode, fault), func(t *testing.T) {
				t.Parallel()
				for at := 0; crashAt(t, mode, fault, at, false) && at < 200; at++ {
					for range 3 {
						crashAt(t, mode, fault, at, true)
					}
				}
			})
		}
	}
}

// crashAt reports whether the process died before it was done.
func crashAt(t *testing.T, mode words.Mode, fault storetest.Fault, at int, power bool) bool {
	t.Helper()
	m := newMachine(mode, storeMaker)
	random := rand.New(rand.NewPCG(uint64(at), uint64(len(fault))))
	_ = m.save(t, 1) // the slot has a history, or none if power fails next
	m.ring.SetFault(inTurn(0, []storetest.Fault{fault, fault}))
	m.procs[0].CrashAfter(at)
	first := m.procs[0]
	_ = m.save(t, 0) // dies here, or
	m.remove(0)      // here
	died := first.Dead()
	if power {
		m.powerCut(random.IntN)
	}
	for m.ring.Late() > 0 {
		m.ring.ApplyLate(0)
		_ = m.load(t, 1)
	}
	_ = m.load(t, 1)
	m.heal(t)
	return died
}

func TestInvariant10TwoProcessesLoseNoUpdate(t *testing.T) {
	t.Parallel()
	const savers, saves = 4, 25
	home, id := filepath.Join(t.TempDir(), "home"), session.Master()
	ring := storetest.NewKeyring()
	for name, mode := range map[string]words.Mode{"file": words.ModeFile, "auto": words.ModeAuto} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[uint64]string{}
			var wg sync.WaitGroup
			for range savers {
				wg.Go(func() {
					s, err := store.New(store.Config{Home: home + name, Mode: mode, Keychain: ring.Client(nil)})
					for range saves {
						v := newSession(wallet.New())
						var info store.Info
						if err == nil {
							for info, err = s.Save(t.Context(), id, v); errors.Is(err, store.ErrBusy); {
								info, err = s.Save(t.Context(), id, v) // flock is not fair
							}
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if seen[info.Generation] != "" {
							t.Errorf("generation %d was given twice", info.Generation)
						}
						seen[info.Generation] = v.Token.Reveal()
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			v, info, err := open(t, store.Config{Home: home + name, Mode: mode, Keychain: ring.Client(nil)}).Load(t.Context(), id)
			if err != nil || info.Generation < savers*saves || seen[info.Generation] != v.Token.Reveal() {
				t.Fatalf("after %d saves: %+v, %v", len(seen), info, err)
			}
		})
	}
	histories(t, allSteps(stepSave, stepOver, stepOver, stepInterrupt, stepInterrupt, stepLoad))
}

// The bytes of a secret are in one place, and in no error.
func TestInvariant11SecretsAreWhereTheyBelong(t *testing.T) {
	t.Parallel()
	m := newMachine(words.ModeAuto, storeMaker)
	m.ring.SetState(words.KeychainLocked)
	_ = m.save(t, 0) // to the file first
	m.heal(t)
	v := newSession(m.wallet)
	info, err := m.subs[0].Save(t.Context(), m.id, v)
	if err != nil || info.Backend != words.BackendKeychain {
		t.Fatalf("save: %+v, %v", info, err)
	}
	for _, secret := range []string{v.Token.Reveal(), v.DeviceKey.Reveal(), v.DeviceSignKey.Reveal()} {
		for path, content := range m.disk.Files() {
			if strings.Contains(content, secret) || strings.Contains(content, base64.StdEncoding.EncodeToString([]byte(secret))) {
				t.Errorf("a secret is in %s", path)
			}
		}
	}
}

func TestInvariant12FileModeNeverTouchesTheKeychain(t *testing.T) {
	t.Parallel()
	ring := storetest.NewKeyring()
	s := open(t, store.Config{Mode: words.ModeFile, Keychain: ring.Client(nil)})
	for _, id := range []session.ID{session.Master(), session.DaemonID(wallet.New()), session.NewPendingID()} {
		_, _, _ = s.Load(t.Context(), id) // nothing there yet
		save(t, s, id, newSession(wallet.New()))
		if err := errors.Join(s.Reconcile(t.Context()), s.Delete(t.Context(), id)); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"get", "put", "delete", "probe"} {
		if n := ring.Calls(kind); n != 0 {
			t.Errorf("%d calls of %s", n, kind)
		}
	}
}
