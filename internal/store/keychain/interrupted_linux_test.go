package keychain_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// during starts an operation that a frozen keyring holds up, lets the end come in
// its middle, and returns its error. It has to be back by its deadline.
func during(t *testing.T, g *keyringtest.GnomeKeyring, operation func(*keychain.Keychain) error, end func()) error {
	t.Helper()
	name := ownName(t)
	k := keychain.New(keychain.Config{Env: lookup(keyringtest.Env(g.Address, g.Home)), Executable: name, Timeout: 5 * shortTimeout})
	wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	g.Stop()
	result, begin := make(chan error, 1), time.Now()
	go func() { result <- operation(k) }()
	childOf(t, name)
	time.Sleep(50 * time.Millisecond) // it has asked its question by now
	end()
	err := <-result
	if took := time.Since(begin); took > 5*shortTimeout+slack {
		t.Errorf("took %v", took)
	}
	if pid := findChild(name); pid != "" {
		t.Errorf("child %s is left", pid)
	}
	return err
}

func operations() map[string]func(*testing.T, *keychain.Keychain) error {
	return map[string]func(*testing.T, *keychain.Keychain) error{
		"get":    func(t *testing.T, k *keychain.Keychain) error { _, err := k.Get(t.Context(), account); return err },
		"put":    func(t *testing.T, k *keychain.Keychain) error { return k.Put(t.Context(), account, "ak1.2.bmV3") },
		"delete": func(t *testing.T, k *keychain.Keychain) error { return k.Delete(t.Context(), account) },
	}
}

func TestAKeyringKilledInTheMiddleIsUnavailableAndKeepsItsEntries(t *testing.T) {
	t.Parallel()
	for name, operation := range operations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, k := inKeyring(t, keyringtest.Unlocked)
			if err := k.Put(t.Context(), account, "ak1.1.b2xk"); err != nil {
				t.Fatal(err)
			}
			err := during(t, g, func(k *keychain.Keychain) error { return operation(t, k) }, g.Kill)
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error %v, want unavailable", err)
			}
			wantState(t, k.ProbeNow(t.Context()), words.KeychainNoOwner)
			keyringtest.StartGnomeKeyring(t, g.Address, g.Home, keyringtest.Unlocked)
			if got, err := k.Get(t.Context(), account); got != "ak1.1.b2xk" || err != nil {
				t.Errorf("after the restart: %q, %v", got, err)
			}
		})
	}
}

func TestABusThatGoesInTheMiddleIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, operation := range operations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := keyringtest.NewBus(t, "")
			g := keyringtest.StartGnomeKeyring(t, bus.Address, keyringtest.Dir(t), keyringtest.Unlocked)
			err := during(t, g, func(k *keychain.Keychain) error { return operation(t, k) }, bus.Kill)
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error %v, want unavailable", err)
			}
			k := newKeychain(t, keyringtest.Env(bus.Address, g.Home)...)
			refusesEverything(t, k, words.KeychainNoBus)
		})
	}
}

// Each round kills the keyring at another moment of a row of puts: what it shows
// after its restart is a value that was put, never nothing.
func TestAKeyringKilledAtAnyMomentShowsTheOldOrTheNewValue(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Unlocked)
	values := []string{"ak1.1.YQ", "ak1.2.YmI", "ak1.3.Y2Nj"}
	if err := k.Put(t.Context(), account, values[0]); err != nil {
		t.Fatal(err)
	}
	for round := range 15 {
		timer := time.AfterFunc(time.Duration(round)*7*time.Millisecond, g.Kill)
		acknowledged := -1
		for i, value := range values {
			if k.Put(t.Context(), account, value) == nil {
				acknowledged = i
			}
		}
		timer.Stop()
		g.Kill()
		g = keyringtest.StartGnomeKeyring(t, g.Address, g.Home, keyringtest.Unlocked)
		wantState(t, k.ProbeNow(t.Context()), words.KeychainUnlocked)
		got, err := k.Get(t.Context(), account)
		if at := slices.Index(values, got); err != nil || at < 0 || acknowledged >= 0 && at < acknowledged {
			t.Fatalf("round %d: %q, %v; acknowledged %d", round, got, err, acknowledged)
		}
	}
}

func TestAPasswordlessKeyringKeepsAnEntryOverARestart(t *testing.T) {
	t.Parallel()
	g, k := inKeyring(t, keyringtest.Passwordless)
	if err := k.Put(t.Context(), account, "ak1.1.c3RheXM"); err != nil {
		t.Fatal(err)
	}
	g.Kill()
	keyringtest.StartGnomeKeyring(t, g.Address, g.Home, keyringtest.Passwordless)
	wantState(t, k.ProbeNow(t.Context()), words.KeychainUnlocked)
	if got, err := k.Get(t.Context(), account); got != "ak1.1.c3RheXM" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// With dbus-launch installed and no bus, go-keyring alone starts a bus and a keyring
// that outlive it.
func TestWithoutABusNothingIsStartedByUs(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "dbus-launch", "gnome-keyring-daemon")
	display := keyringtest.StartDisplay(t)
	for name, addresses := range map[string][]string{
		"no address":        nil,
		"a dead socket":     {"DBUS_SESSION_BUS_ADDRESS=" + deadSocket(t)},
		"autolaunch":        {"DBUS_SESSION_BUS_ADDRESS=autolaunch:"},
		"an empty variable": {"DBUS_SESSION_BUS_ADDRESS="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := keyringtest.Dir(t)
			env := slices.DeleteFunc(keyringtest.Env("", home), func(line string) bool {
				return strings.HasPrefix(line, "DBUS_SESSION_BUS_ADDRESS=")
			})
			k := newKeychain(t, append(append(env, "DISPLAY="+display.Name), addresses...)...)
			for range 3 {
				refusesEverything(t, k, words.KeychainNoBus)
			}
			if programs := keyringtest.InHome(t, home); len(programs) != 0 {
				t.Errorf("running: %q", programs)
			}
			if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Geteuid())); addresses != nil || err == nil {
				return // go-keyring would find a person's own bus there
			}
			// go-keyring alone: what is looked for can be found.
			defer keyringtest.EndHome(t, home)
			_, _ = goKeyring(t.Context(), t, append(env, "DISPLAY="+display.Name), "", "get") // whether it finds anything
			if programs := keyringtest.InHome(t, home); !slices.Contains(programs, "dbus-daemon") {
				t.Errorf("go-keyring alone left %q: this test sees nothing", programs)
			}
		})
	}
}
