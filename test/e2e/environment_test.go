package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// silentBus is a session bus that answers nothing and counts who comes.
func silentBus(t testing.TB) (address string, visits *atomic.Int64) {
	t.Helper()
	path := filepath.Join(keyringtest.Dir(t), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	visits = new(atomic.Int64)
	t.Cleanup(func() { _ = l.Close() }) // the directory goes too
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return "unix:path=" + path, visits
}

// patiently is the keychain's timeout where a healthy one has to win on a busy machine.
const patiently = "8s"

// desktop is a machine whose user has logged in: a session bus and a keyring.
func desktop(t testing.TB, state keyringtest.State) (*machine, *keyringtest.GnomeKeyring) {
	t.Helper()
	m := newMachine(t)
	address := keyringtest.StartBus(t)
	ring := keyringtest.StartGnomeKeyring(t, address, m.env["HOME"], state)
	return m.with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", address, "AGENTKEYS_KEYCHAIN_TIMEOUT", patiently), ring
}

// withDisplay is a desktop on whose bus and display start puts something.
func withDisplay(start func(t testing.TB, address string, d *keyringtest.Display)) func(testing.TB) *machine {
	return func(t testing.TB) *machine {
		address, display := keyringtest.StartBus(t), keyringtest.StartDisplay(t)
		start(t, address, display)
		return newMachine(t).with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", address, "DISPLAY", display.Name,
			"AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)
	}
}

// fastest holds a promised time against the best of several tries: the others may have been
// kept up by a busy machine.
type fastest struct{ best atomic.Int64 }

func newFastest(t testing.TB, promised time.Duration) *fastest {
	f := new(fastest)
	f.best.Store(math.MaxInt64)
	t.Cleanup(func() { // after the subtests
		if best := time.Duration(f.best.Load()); best > promised {
			t.Errorf("at best it took %s, promised are %s", best, promised)
		}
	})
	return f
}

func (f *fastest) of(took time.Duration) {
	for best := f.best.Load(); int64(took) < best; best = f.best.Load() {
		f.best.CompareAndSwap(best, int64(took))
	}
}

// The environments of the specification: what there is, what is set, and where the
// session goes. The rows of a Mac are TestEnvironmentsOfAMac in internal/store/keychain:
// go-keyring starts /usr/bin/security by its full name, so no stand-in reaches a
// built program.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	plain := func(pairs ...string) func(testing.TB) *machine {
		return func(t testing.TB) *machine { return newMachine(t).with(pairs...) }
	}
	ownHome := func(next func(testing.TB) *machine) func(testing.TB) *machine {
		return func(t testing.TB) *machine { // no AGENTKEYS_HOME: ~/.agentkeys
			m := next(t).with("AGENTKEYS_HOME", "")
			m.home = filepath.Join(m.env["HOME"], ".agentkeys")
			if _, err := os.Stat("/var/lib/agentkeys"); err == nil && os.Geteuid() == 0 {
				t.Fatal("the package is installed here: root's home is /var/lib/agentkeys")
			}
			return m
		}
	}
	fastest := newFastest(t, patience/3)
	for name, env := range map[string]struct {
		machine func(testing.TB) *machine
		backend string
		state   string // of the keychain
	}{
		"Linux desktop, unlocked keyring":         {func(t testing.TB) *machine { m, _ := desktop(t, keyringtest.Unlocked); return m }, "keychain", "unlocked"},
		"Linux desktop, keyring without password": {func(t testing.TB) *machine { m, _ := desktop(t, keyringtest.Passwordless); return m }, "keychain", "unlocked"},
		"Linux desktop, keyring never made":       {func(t testing.TB) *machine { m, _ := desktop(t, keyringtest.None); return m }, "file", "no_collection"},
		"Linux desktop, set to file": {func(t testing.TB) *machine {
			m, _ := desktop(t, keyringtest.Unlocked)
			return m.with("AGENTKEYS_SESSION_STORE", "file")
		}, "file", "disabled"},
		"Linux desktop, KeePassXC": {withDisplay(func(t testing.TB, address string, d *keyringtest.Display) {
			keyringtest.StartKeePassXC(t, address, d, keyringtest.Unlocked, false)
		}), "file", "prompts_on_write"},
		"Linux desktop, KDE as Debian installs it": {withDisplay(func(t testing.TB, address string, d *keyringtest.Display) {
			keyringtest.StartKWallet(t, address, d, keyringtest.None, false)
		}), "file", "no_owner"},
		"headless server":       {plain("AGENTKEYS_SESSION_STORE", ""), "file", "no_bus"},
		"headless server, auto": {plain("AGENTKEYS_SESSION_STORE", "auto"), "file", "no_bus"},
		"server with a bus and no keyring": {func(t testing.TB) *machine {
			return newMachine(t).with("AGENTKEYS_SESSION_STORE", "", "DBUS_SESSION_BUS_ADDRESS", keyringtest.StartBus(t))
		}, "file", "no_owner"},
		"Docker": {ownHome(plain("AGENTKEYS_SESSION_STORE", "", "LC_ALL", "")), "file", "no_bus"},
		"cloud sandbox, the bus address is of another machine": {plain("AGENTKEYS_SESSION_STORE", "",
			"DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus"), "file", "no_bus"},
		"CI with AGENTKEYS_SESSION_STORE=file": {plain("CI", "true"), "file", "disabled"},
	} {
		for daemons := 1; daemons <= 2; daemons++ {
			t.Run(fmt.Sprintf("%s, %d daemons", name, daemons), func(t *testing.T) {
				t.Parallel()
				b := startBroker(t)
				o, m := newOwner(t, b), env.machine(t)
				var wallets []string
				for i := range daemons {
					began := time.Now()
					r := m.pair(b.url, "--alias", fmt.Sprint("bot-", i))
					o.must("approve", r.code, "--scope", "all", "--yes")
					e := r.paired()
					fastest.of(time.Since(began))
					if e.StorageBackend != env.backend || e.SessionID != "daemon-"+e.Wallet {
						t.Errorf("paired: %+v", e)
					}
					if where := text(t, headFile(t, m.slot(e.Wallet))["where"]); where != env.backend {
						t.Errorf("where=%s, want %s", where, env.backend)
					}
					wallets = append(wallets, e.Wallet)
				}
				for _, w := range wallets {
					d := m.daemon(w)
					d.reaches("online")
					eventually(t, patience, "storage "+env.backend+", keychain "+env.state, func() (string, bool) {
						st := d.status().Storage
						return fmt.Sprintf("%+v", st), string(st.Backend) == env.backend && string(st.KeychainState) == env.state
					})
				}
				if got := m.slots(); len(got) != daemons {
					t.Errorf("slots %v", got)
				}
				var probe struct {
					State    string   `json:"state"`
					Duration *float64 `json:"duration_seconds"`
				}
				r := m.run("", "agentkeys-daemon", "probe", "--json")
				if err := json.Unmarshal([]byte(r.stdout), &probe); err != nil || probe.State != env.state || probe.Duration == nil {
					t.Errorf("probe: %v, exit %d, %s%s", err, r.code, r.stdout, r.stderr)
				}
				if healthy := env.state == "unlocked" || env.state == "disabled"; (r.code == exitOK) != healthy {
					t.Errorf("probe %s: exit %d", probe.State, r.code)
				}
			})
		}
	}
}

func TestAnUnknownSessionStoreIsAUsageError(t *testing.T) {
	t.Parallel()
	m := newMachine(t).with("AGENTKEYS_SESSION_STORE", "vault")
	for _, args := range [][]string{{"agentkeys", "whoami"}, {"agentkeys-daemon", "probe"}, {"agentkeys-daemon", "pair", "--broker", "http://127.0.0.1:1"}} {
		if r := m.run("", args[0], args[1:]...); r.code != exitUsage || !strings.Contains(r.stderr, "vault") {
			t.Errorf("%v: exit %d, %s", args, r.code, r.stderr)
		}
	}
}

// file mode: no connection to any bus, and no child process that ended or lives.
func TestFileModeOpensNoBusAndStartsNoProcess(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	address, visits := silentBus(t)
	run := keyringtest.Dir(t)
	if err := os.Symlink(strings.TrimPrefix(address, "unix:path="), filepath.Join(run, "bus")); err != nil {
		t.Fatal(err)
	}
	withBus := []string{"DBUS_SESSION_BUS_ADDRESS", address, "XDG_RUNTIME_DIR", run, "DISPLAY", ":99"}
	pi := newMachine(t).with(withBus...)
	o := initOwner(newMachine(t).with(withBus...), b)
	w := o.adopt(pi, "bot", "all")
	o.put("bot", "openrouter", keyOpenRouter)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	age(t, pi.slot(w))
	d.stop()
	d = pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	if n := visits.Load(); n != 0 {
		t.Errorf("%d connections to the bus", n)
	}
	if started := childrenOf(t, d.cmd.Process.Pid); started != "" {
		t.Errorf("the daemon started a process: %s", started)
	}
	// The same look at a daemon that may use the keychain finds both.
	auto := pi.with("AGENTKEYS_SESSION_STORE", "auto", "AGENTKEYS_KEYCHAIN_TIMEOUT", "200ms")
	d.stop()
	auto.daemon(w)
	eventually(t, patience, "auto mode looks at the bus", func() (string, bool) { return "", visits.Load() > 0 })
}
