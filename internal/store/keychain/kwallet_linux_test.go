package keychain_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/words"
)

func openWallet(t *testing.T, state keyringtest.State, secretService bool) (*keyringtest.KWallet, *keyringtest.Display, *keychain.Keychain) {
	t.Helper()
	address, display := keyringtest.StartBus(t), keyringtest.StartDisplay(t)
	w := keyringtest.StartKWallet(t, address, display, state, secretService)
	return w, display, newKeychain(t, keyringtest.Env(address, w.Home)...)
}

func noWindow(t *testing.T, d *keyringtest.Display) {
	t.Helper()
	time.Sleep(300 * time.Millisecond) // one needs a moment
	if windows := d.Windows(); len(windows) != 0 {
		t.Errorf("windows: %q", windows)
	}
}

func refusesEverything(t *testing.T, k *keychain.Keychain, state words.KeychainState) {
	t.Helper()
	wantState(t, k.ProbeNow(t.Context()), state)
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, state)
	wantUnavailable(t, k.Put(t.Context(), account, "ak1.1.dg"), state)
	wantUnavailable(t, k.Delete(t.Context(), account), state)
}

// What Debian installs: KDE Wallet runs, and offers no Secret Service.
func TestRealKWalletWithoutItsSecretServiceIsNoOwner(t *testing.T) {
	t.Parallel()
	_, display, k := openWallet(t, keyringtest.Locked, false)
	refusesEverything(t, k, words.KeychainNoOwner)
	noWindow(t, display)
}

func TestRealKWalletWithoutAWalletGetsNone(t *testing.T) {
	t.Parallel()
	_, display, k := openWallet(t, keyringtest.None, true)
	refusesEverything(t, k, words.KeychainNoCollection)
	noWindow(t, display)
}

func TestRealKWalletThatIsLockedIsNotAskedFor(t *testing.T) {
	t.Parallel()
	w, display, k := openWallet(t, keyringtest.Locked, true)
	if p := k.Probe(t.Context()); p.Provider != "kwallet" {
		t.Errorf("probe %+v", p)
	}
	refusesEverything(t, k, words.KeychainLocked)
	// Opened at login; its Secret Service says so only after some program's prompt.
	w.Open()
	refusesEverything(t, k, words.KeychainLocked)
	noWindow(t, display)
}

func TestRealKWalletThatIsOpenIsAStoreKeychain(t *testing.T) {
	t.Parallel()
	w, display, k := openWallet(t, keyringtest.Locked, true)
	w.Open()
	w.Prompt()
	p := k.Probe(t.Context())
	wantState(t, p, words.KeychainUnlocked)
	storetest.RunKeychain(t, func(t *testing.T) store.Keychain {
		return newKeychain(t, keyringtest.Env(w.Address, w.Home)...)
	})
	noWindow(t, display)
}
