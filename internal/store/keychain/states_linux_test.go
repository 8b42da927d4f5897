package keychain_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestRealGnomeKeyringIsAStoreKeychain(t *testing.T) {
	t.Parallel()
	g, _ := inKeyring(t, keyringtest.Unlocked)
	storetest.RunKeychain(t, func(t *testing.T) store.Keychain {
		return newKeychain(t, keyringtest.Env(g.Address, g.Home)...)
	})
}

func TestALockedKeyringIsNeitherReadNorWrittenNorAskedFor(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Locked)
	monitor := keyringtest.StartMonitor(t, g.Address)
	wantState(t, k.Probe(t.Context()), words.KeychainLocked)
	onlyHarmlessCalls(t, monitor.Calls(t, g.Address))
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, words.KeychainLocked)
	wantUnavailable(t, k.Put(t.Context(), account, "ak1.1.c2VjcmV0"), words.KeychainLocked)
	wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainLocked)
	onlyHarmlessCalls(t, monitor.Calls(t, g.Address))

	g.Unlock()
	wantState(t, k.ProbeNow(t.Context()), words.KeychainUnlocked)
	if _, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("the refused put was done: %v", err)
	}
	if err := k.Put(t.Context(), account, "ak1.2.c2VjcmV0"); err != nil {
		t.Fatal(err)
	}
	g.Lock()
	_, err = k.Get(t.Context(), account)
	wantUnavailable(t, err, words.KeychainLocked)
}

func TestAPasswordlessKeyringIsUnlockedAfterARestart(t *testing.T) {
	t.Parallel()
	_, k := inKeyring(t, keyringtest.Passwordless)
	wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	if err := k.Put(t.Context(), account, "ak1.1.dg"); err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(t.Context(), account); got != "ak1.1.dg" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAKeyringWithoutACollectionGetsNone(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.None)
	wantState(t, k.Probe(t.Context()), words.KeychainNoCollection)
	wantUnavailable(t, k.Put(t.Context(), account, "v"), words.KeychainNoCollection)
	wantState(t, k.ProbeNow(t.Context()), words.KeychainNoCollection)
	g.Kill()
	wantState(t, k.ProbeNow(t.Context()), words.KeychainNoOwner)
}

func TestAFrozenKeyringCostsTheDeadlineAndNothingLands(t *testing.T) {
	t.Parallel()
	g, longer := inKeyring(t, keyringtest.Unlocked)
	if err := longer.Put(t.Context(), account, "ak1.1.b2xk"); err != nil {
		t.Fatal(err)
	}
	k := newQuick(t, keyringtest.Env(g.Address, g.Home)...)
	eventually(t, "an answer in time", func() bool { return k.ProbeNow(t.Context()).State == words.KeychainUnlocked })
	g.Stop()
	fastest := slack
	for name, call := range map[string]func() error{
		"get":    func() error { _, err := k.Get(t.Context(), account); return err },
		"put":    func() error { return k.Put(t.Context(), account, "ak1.2.bmV3") },
		"delete": func() error { return k.Delete(t.Context(), account) },
	} {
		begin := time.Now()
		err := call()
		took := time.Since(begin)
		if fastest = min(fastest, took); took > shortTimeout+slack {
			t.Errorf("%s took %v", name, took)
		}
		wantUnavailable(t, err, words.KeychainHung)
		if strings.Contains(err.Error(), "bmV3") {
			t.Errorf("%s: the error shows the value", name)
		}
	}
	if fastest >= 2*time.Second { // the default, where the configured one is not taken
		t.Errorf("the fastest took %v", fastest)
	}
	wantState(t, k.ProbeNow(t.Context()), words.KeychainHung)
	g.Continue()
	wantState(t, longer.ProbeNow(t.Context()), words.KeychainUnlocked)
	// The child probes before it writes: nothing but the probe had been sent.
	if got, err := longer.Get(t.Context(), account); got != "ak1.1.b2xk" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAKilledKeyringIsNoOwnerAndItsSuccessorIsAnother(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Unlocked)
	before := k.Probe(t.Context())
	g.Kill()
	wantState(t, k.ProbeNow(t.Context()), words.KeychainNoOwner)
	keyringtest.StartGnomeKeyring(t, g.Address, g.Home, keyringtest.Unlocked)
	after := k.ProbeNow(t.Context())
	wantState(t, after, words.KeychainUnlocked)
	if after.Owner == before.Owner || after.BusID != before.BusID {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestOneOperationAtATimeAndTheNextWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	g, _ := inKeyring(t, keyringtest.Unlocked)
	name := ownName(t)
	k := keychain.New(keychain.Config{Env: lookup(keyringtest.Env(g.Address, g.Home)), Executable: name, Timeout: 5 * shortTimeout})
	wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	g.Stop()
	defer g.Continue()
	first := make(chan error, 1)
	go func() { _, err := k.Get(t.Context(), account); first <- err }()
	childOf(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := k.Get(ctx, account)
	wantUnavailable(t, err, words.KeychainHung)
	if err == nil || !strings.Contains(err.Error(), "another keychain operation") {
		t.Errorf("the second: %v", err)
	}
	canceled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := k.Get(canceled, account); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled caller: %v", err)
	}
	wantUnavailable(t, <-first, words.KeychainHung)
}

func TestOnlyEntriesWithExactlyOurAttributesAreOurs(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Unlocked)
	other := []string{"service", "agentkeys", "username", account, "target", "default"}
	wantOther := func() {
		t.Helper()
		if got := secretTool(t, g, "", append([]string{"lookup"}, other...)...); got != "other" {
			t.Fatalf("the other program's entry is now %q", got)
		}
	}
	if err := k.Put(t.Context(), account, "ak1.1.b3Vycw"); err != nil {
		t.Fatal(err)
	}
	secretTool(t, g, "other", append([]string{"store", "--label=another program's"}, other...)...)
	if got, err := k.Get(t.Context(), account); got != "ak1.1.b3Vycw" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := k.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	wantOther()
	if _, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("the other program's entry was taken for ours: %v", err)
	}
	if err := k.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	wantOther()
}

func TestDeleteRemovesEveryEntryOfOursAndStopsAtAPrompt(t *testing.T) {
	t.Parallel()
	address := keyringtest.StartBus(t)
	f := startFake(t, address)
	ours := map[string]string{"service": "agentkeys", "username": account, "xdg:schema": "org.freedesktop.Secret.Generic"}
	f.addItem(fakeLogin+"/1", ours)
	f.addItem(fakeLogin+"/2", ours)
	f.addItem(fakeLogin+"/3", map[string]string{"service": "agentkeys", "username": account, "application": "other"})
	k := newKeychain(t, "DBUS_SESSION_BUS_ADDRESS="+address)
	if err := k.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	f.addItem(fakeLogin+"/4", ours)
	func() {
		defer f.lock()()
		if len(f.items) != 2 || f.items[fakeLogin+"/3"] == nil {
			t.Errorf("left: %v", f.items)
		}
		f.onDelete = fakePrompt
	}()
	wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainPromptsOnWrite)
	defer f.lock()()
	if f.dismissed != 1 || f.items[fakeLogin+"/4"] == nil {
		t.Errorf("%d dismissed, left %v", f.dismissed, f.items)
	}
}

func TestKeePassXCIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	address := keyringtest.StartBus(t)
	startFake(t, address, "org.keepassxc.KeePassXC.MainWindow")
	k := newKeychain(t, "DBUS_SESSION_BUS_ADDRESS="+address)
	wantUnavailable(t, k.Put(t.Context(), account, "v"), words.KeychainPromptsOnWrite)
	wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainPromptsOnWrite)
	if _, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("a read: %v", err)
	}
}
