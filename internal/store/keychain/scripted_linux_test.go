package keychain_test

import (
	"path/filepath"
	"testing"
	"time"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
)

func scripted(t *testing.T) (*fakeSecrets, *keychain.Keychain) {
	t.Helper()
	address := keyringtest.StartBus(t)
	return startFake(t, address), newKeychain(t, "DBUS_SESSION_BUS_ADDRESS="+address)
}

// Whatever its name: what KeePassXC does, another provider may do too.
func TestAKeyringThatWantsToAskBeforeAWriteIsNotAllowedTo(t *testing.T) {
	t.Parallel()
	f, k := scripted(t)
	wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	f.mu.Lock()
	f.onCreate = func() (item, prompt dbus.ObjectPath) { return "/", fakePrompt }
	f.mu.Unlock()
	wantUnavailable(t, k.Put(t.Context(), account, "ak1.1.dg"), words.KeychainPromptsOnWrite)
	defer f.lock()()
	if f.dismissed != 1 {
		t.Errorf("%d prompts dismissed", f.dismissed)
	}
}

// An entry, or the whole keyring, may be locked between the probe and the read.
func TestAnEntryThatLocksInTheMiddleIsNotAskedFor(t *testing.T) {
	t.Parallel()
	f, k := scripted(t)
	f.addItem(fakeLogin+"/1", map[string]string{"service": "agentkeys", "username": account})
	wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	f.mu.Lock()
	f.itemLocked = true
	f.mu.Unlock()
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, words.KeychainLocked)
}

func TestAWriteThatAKeyringDropsOrNeverAnswersGoesToTheFile(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, tt := range map[string]struct {
		create func() (item, prompt dbus.ObjectPath)
		reason string
		within time.Duration // each operation
	}{
		"dropped":        {nil, "not_seen", longTimeout},
		"never answered": {func() (item, prompt dbus.ObjectPath) { <-never; return "/", "/" }, "put", 5 * shortTimeout},
		"asks":           {func() (item, prompt dbus.ObjectPath) { return "/", fakePrompt }, "put", longTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, k := scripted(t)
			f.mu.Lock()
			f.onCreate = tt.create
			f.mu.Unlock()
			s, err := store.New(store.Config{Home: filepath.Join(keyringtest.Dir(t), "home"), Keychain: k, KeychainTimeout: tt.within})
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			info, err := s.Save(t.Context(), session.Master(), workerSession("token"))
			if err != nil || info.Backend != words.BackendFile || info.Fallback != tt.reason || !info.InDoubt {
				t.Errorf("save: %+v, %v", info, err)
			}
			if took := time.Since(begin); took > 3*tt.within+slack {
				t.Errorf("took %v", took)
			}
			if v, _, err := s.Load(t.Context(), session.Master()); err != nil || v.Token.Reveal() != "token" {
				t.Errorf("load: %v", err)
			}
		})
	}
}
