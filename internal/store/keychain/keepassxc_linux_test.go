package keychain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
)

// safe is a real KeePassXC with a display that is watched.
type safe struct {
	*keyringtest.KeePassXC
	display *keyringtest.Display
	windows []string
	entries string
}

func openSafe(t *testing.T, state keyringtest.State, confirm bool, entries ...keyringtest.Entry) (*safe, *keychain.Keychain) {
	t.Helper()
	address, display := keyringtest.StartBus(t), keyringtest.StartDisplay(t)
	k := keyringtest.StartKeePassXC(t, address, display, state, confirm, entries...)
	s := &safe{KeePassXC: k, display: display}
	s.windows, s.entries = display.Titles(), k.List()
	if len(s.windows) == 0 {
		t.Fatal("KeePassXC shows no window of its own: a dialog would not be seen either")
	}
	return s, newKeychain(t, keyringtest.Env(address, k.Home)...)
}

// untouched: no window came because of us, and nothing was written.
func (s *safe) untouched(t *testing.T) {
	t.Helper()
	time.Sleep(300 * time.Millisecond) // a dialog needs a moment
	if diff := cmp.Diff(s.windows, s.display.Titles()); diff != "" {
		t.Errorf("windows (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(s.entries, s.List()); diff != "" {
		t.Errorf("entries (-before +after):\n%s", diff)
	}
}

func TestRealKeePassXCIsReadAndNeverWritten(t *testing.T) {
	t.Parallel()
	s, k := openSafe(t, keyringtest.Unlocked, false, keyringtest.Entry{Account: account, Value: "ak1.1.dg"})
	p := k.Probe(t.Context())
	wantState(t, p, words.KeychainPromptsOnWrite)
	if p.Provider != "KeePassXC" {
		t.Errorf("provider %q", p.Provider)
	}
	if got, err := k.Get(t.Context(), account); got != "ak1.1.dg" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := k.Get(t.Context(), "master"); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("another account: %v", err)
	}
	wantUnavailable(t, k.Put(t.Context(), account, "ak1.2.dg"), words.KeychainPromptsOnWrite)
	wantUnavailable(t, k.Put(t.Context(), "master", "ak1.1.dg"), words.KeychainPromptsOnWrite)
	wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainPromptsOnWrite)
	s.untouched(t)
	if got := s.Show(account); got != "ak1.1.dg" {
		t.Errorf("the entry is now %q", got)
	}

	s.Lock()
	p = k.ProbeNow(t.Context())
	if p.State.Readable() {
		t.Errorf("locked: %s", p.State)
	}
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, p.State)
	s.untouched(t)
}

func TestRealKeePassXCThatWasNeverUnlockedIsLeftAlone(t *testing.T) {
	t.Parallel()
	s, k := openSafe(t, keyringtest.Locked, false, keyringtest.Entry{Account: account, Value: "ak1.1.dg"})
	monitor := keyringtest.StartMonitor(t, s.Address)
	wantState(t, k.Probe(t.Context()), words.KeychainLocked)
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, words.KeychainLocked)
	wantUnavailable(t, k.Put(t.Context(), account, "ak1.2.dg"), words.KeychainLocked)
	wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainLocked)
	onlyHarmlessCalls(t, monitor.Calls(t, s.Address))
	s.untouched(t)
}

// KeePassXC's own default: a person has to allow each program each entry.
func TestRealKeePassXCThatConfirmsReadsIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s, k := openSafe(t, keyringtest.Unlocked, true, keyringtest.Entry{Account: account, Value: "ak1.1.dg"})
	wantState(t, k.Probe(t.Context()), words.KeychainPromptsOnWrite)
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, words.KeychainLocked)
	s.untouched(t)
	if _, err := k.Get(t.Context(), "master"); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("another account: %v", err)
	}

	// The same read by go-keyring alone: the windows are looked for in the right place.
	ctx, cancel := context.WithCancel(t.Context())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		defer cancel()
		eventually(t, "a window of go-keyring alone", func() bool { return !cmp.Equal(s.windows, s.display.Titles()) })
	}()
	if _, err := goKeyring(ctx, t, keyringtest.Env(s.Address, s.Home), "", "get"); err == nil {
		t.Error("go-keyring alone read it without a person")
	}
	<-shown
}
