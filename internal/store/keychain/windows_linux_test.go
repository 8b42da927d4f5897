package keychain_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// prompters are the programs that gnome-keyring's prompts come from; Debian has the
// first one, which is activated through the bus.
var prompters = regexp.MustCompile(`gcr-prompter|pinentry|zenity|ssh-askpass`)

// prompterService lets the bus start gcr's prompter, as on a desktop.
func prompterService(t *testing.T) (dir string) {
	t.Helper()
	dir = keyringtest.Dir(t)
	for _, name := range []string{"org.gnome.keyring.SystemPrompter", "org.gnome.keyring.PrivatePrompter"} {
		file := name + ".service"
		unit, err := os.ReadFile(filepath.Join("/usr/share/dbus-1/services", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), unit, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestALockedKeyringOnADesktopShowsNoWindowBecauseOfUs(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "gnome-keyring-daemon")
	display := keyringtest.StartDisplay(t)
	home := keyringtest.Dir(t)
	session := append(keyringtest.Env("", home), "DISPLAY="+display.Name)
	bus := keyringtest.NewBus(t, prompterService(t), session...)
	keyringtest.StartGnomeKeyring(t, bus.Address, home, keyringtest.Locked)
	env := append(keyringtest.Env(bus.Address, home), "DISPLAY="+display.Name)
	k := newKeychain(t, env...)
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- k.Run(ctx) }()
	for range 5 {
		wantState(t, k.ProbeNow(t.Context()), words.KeychainLocked)
		_, err := k.Get(t.Context(), account)
		wantUnavailable(t, err, words.KeychainLocked)
		wantUnavailable(t, k.Put(t.Context(), account, "ak1.1.dg"), words.KeychainLocked)
		wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainLocked)
	}
	time.Sleep(time.Second) // a window needs a moment
	cancel()
	if err := <-running; err != nil {
		t.Error(err)
	}
	if windows := display.Windows(); len(windows) != 0 {
		t.Errorf("windows: %q", windows)
	}
	if programs := keyringtest.InHome(t, home); slices.ContainsFunc(programs, prompters.MatchString) {
		t.Errorf("running: %q", programs)
	}

	// go-keyring alone: what a window probes like here.
	goKeyringCtx, stop := context.WithCancel(t.Context())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		defer stop()
		eventually(t, "a window of go-keyring alone", func() bool { return len(display.Windows()) > 0 })
	}()
	if _, err := goKeyring(goKeyringCtx, t, env, "", "get"); err == nil {
		t.Error("go-keyring alone read a locked keyring")
	}
	<-shown
	if programs := strings.Join(keyringtest.InHome(t, home), " "); !strings.Contains(programs, "gcr-prompter") {
		t.Errorf("running: %s", programs)
	}
}
