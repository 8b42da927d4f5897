package paths_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) string { return m[k] }
}

func TestHome(t *testing.T) {
	t.Parallel()
	system := t.TempDir()
	tests := map[string]struct {
		getenv func(string) string
		euid   int
		system string
		want   string // empty: ErrHome
	}{
		"a user":                          {env("HOME", "/home/pi"), 1000, system, "/home/pi/.agentkeys"},
		"root with the package":           {env("HOME", "/root"), 0, system, system},
		"root without the package":        {env("HOME", "/root"), 0, filepath.Join(system, "none"), "/root/.agentkeys"},
		"set":                             {env("HOME", "/home/pi", "AGENTKEYS_HOME", "/srv/keys/"), 1000, system, "/srv/keys"},
		"set, for root with the package":  {env("AGENTKEYS_HOME", "/srv/keys"), 0, system, "/srv/keys"},
		"set to a relative path":          {env("HOME", "/home/pi", "AGENTKEYS_HOME", "keys"), 1000, system, ""},
		"set to dots":                     {env("AGENTKEYS_HOME", "../keys"), 0, system, ""},
		"no HOME (a container, systemd)":  {env(), 1000, system, ""},
		"a relative HOME":                 {env("HOME", "pi"), 1000, system, ""},
		"no HOME, but set":                {env("AGENTKEYS_HOME", "/data"), 1000, system, "/data"},
		"root with the package, no HOME":  {env(), 0, system, system},
		"root, the package's is no place": {env("HOME", "/root"), 0, "/dev/null", "/root/.agentkeys"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := paths.HomeIn(tt.getenv, tt.euid, tt.system)
			if got != tt.want || errors.Is(err, paths.ErrHome) != (tt.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestSocketDirs(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	name := w.String()
	slot := "/home/pi/.agentkeys/" + session.DaemonID(w).String()
	tests := map[string]struct {
		getenv  func(string) string
		daemon  string
		clients []string
	}{
		"a system unit":               {env("RUNTIME_DIRECTORY", "/run/agentkeys/"+name), "/run/agentkeys/" + name, []string{"/run/agentkeys/" + name, slot}},
		"several runtime directories": {env("RUNTIME_DIRECTORY", "/run/other:/run/agentkeys/"+name), "/run/agentkeys/" + name, []string{"/run/agentkeys/" + name, slot}},
		"a runtime directory of own":  {env("RUNTIME_DIRECTORY", "/run/mine"), "/run/mine", []string{"/run/agentkeys/" + name, slot}},
		"a desktop": {
			env("XDG_RUNTIME_DIR", "/run/user/1000"), "/run/user/1000/agentkeys/" + name,
			[]string{"/run/agentkeys/" + name, "/run/user/1000/agentkeys/" + name, slot},
		},
		"macOS, a container":            {env(), slot, []string{"/run/agentkeys/" + name, slot}},
		"relative values are not taken": {env("RUNTIME_DIRECTORY", "run", "XDG_RUNTIME_DIR", "run"), slot, []string{"/run/agentkeys/" + name, slot}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := paths.SocketDir(tt.getenv, "/home/pi/.agentkeys", w); got != tt.daemon {
				t.Errorf("daemon: %q, want %q", got, tt.daemon)
			}
			places := paths.SocketPlaces(tt.getenv, "/home/pi/.agentkeys", w)
			if last := places[len(places)-1]; last.Dir != slot || last.Base != "" { // whatever else is lost
				t.Errorf("the last place: %+v", last)
			}
			if diff := cmp.Diff(tt.clients, paths.SocketDirs(tt.getenv, "/home/pi/.agentkeys", w)); diff != "" {
				t.Error(diff)
			}
			homeless := tt.clients[:len(tt.clients)-1] // all but the slot
			if diff := cmp.Diff(homeless, paths.SocketDirs(tt.getenv, "", w)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigDir(t *testing.T) {
	t.Parallel()
	home, brew := t.TempDir(), t.TempDir()
	own := filepath.Join(home, ".config", "agentkeys")
	mkdir(t, filepath.Join(brew, "etc", "agentkeys"))
	homeWithOwn := t.TempDir()
	mkdir(t, filepath.Join(homeWithOwn, ".config", "agentkeys"))
	tests := map[string]struct {
		getenv func(string) string
		goos   string
		want   string
	}{
		"Linux":                  {env("HOME", home), "linux", "/etc/agentkeys"},
		"set":                    {env("AGENTKEYS_CONFIG_DIR", "/srv/etc/"), "linux", "/srv/etc"},
		"set on macOS":           {env("AGENTKEYS_CONFIG_DIR", "/srv/etc"), "darwin", "/srv/etc"},
		"macOS":                  {env("HOME", home), "darwin", own},
		"macOS, Homebrew's only": {env("HOME", home, "HOMEBREW_PREFIX", brew), "darwin", filepath.Join(brew, "etc", "agentkeys")},
		"macOS, both":            {env("HOME", homeWithOwn, "HOMEBREW_PREFIX", brew), "darwin", filepath.Join(homeWithOwn, ".config", "agentkeys")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := paths.ConfigDirOn(tt.getenv, tt.goos); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// shortDir is a directory whose sockets fit into the system's 104 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, dir string) *net.UnixListener {
	t.Helper()
	mkdir(t, dir)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, words.AgentSocket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestOnlyLiveSocketsAreFound(t *testing.T) {
	t.Parallel()
	system, run, home := shortDir(t), shortDir(t), shortDir(t)
	getenv := env("XDG_RUNTIME_DIR", run)
	a, b, c, stale, gone := wallet.New(), wallet.New(), wallet.New(), wallet.New(), wallet.New()

	listen(t, filepath.Join(system, a.String()))
	listen(t, filepath.Join(run, "agentkeys", b.String()))
	listen(t, filepath.Join(home, "daemon-"+c.String()))
	listen(t, filepath.Join(home, "daemon-"+a.String())) // in two places: one wallet
	crashed := listen(t, filepath.Join(home, "daemon-"+stale.String()))
	crashed.SetUnlinkOnClose(false)
	_ = crashed.Close()
	mkdir(t, filepath.Join(home, "daemon-"+gone.String()))
	listen(t, filepath.Join(home, "master"))
	listen(t, filepath.Join(system, a.EIP55())) // not the canonical form
	if err := os.WriteFile(filepath.Join(home, "daemon-"+gone.String(), words.AgentSocket), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	got := map[wallet.Wallet]bool{}
	list := paths.FindSocketsIn(getenv, home, system)
	for _, w := range list {
		got[w] = true
	}
	if len(list) != 3 || !got[a] || !got[b] || !got[c] {
		t.Errorf("%v, want %v %v %v", list, a, b, c)
	}
	if path, ok := paths.FindSocket(getenv, home, c); !ok || path != filepath.Join(home, "daemon-"+c.String(), words.AgentSocket) {
		t.Errorf("%q, %v", path, ok)
	}
	if path, ok := paths.FindSocket(getenv, home, stale); ok {
		t.Errorf("a stale socket was found: %q", path)
	}
}

// What says that a daemon ended without wanting to, and is worth a moment's wait.
func TestADaemonIsExpectedWhereItHasItsPlace(t *testing.T) {
	t.Parallel()
	run, home := shortDir(t), shortDir(t)
	getenv := env("XDG_RUNTIME_DIR", run)
	crashed, kept, slot, never := wallet.New(), wallet.New(), wallet.New(), wallet.New()
	l := listen(t, filepath.Join(home, "daemon-"+crashed.String()))
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	mkdir(t, filepath.Join(run, "agentkeys", kept.String()))
	mkdir(t, filepath.Join(home, "daemon-"+slot.String()))
	for w, want := range map[wallet.Wallet]bool{crashed: true, kept: true, slot: false, never: false} {
		if got := paths.Expected(getenv, home, w); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	for place, want := range map[string][]bool{home: {true, true, false}, "": {false, true, false}} { // "": no home
		got := paths.ExpectedDaemons(getenv, place)
		for i, w := range []wallet.Wallet{crashed, kept, slot} {
			if slices.Contains(got, w) != want[i] {
				t.Errorf("home %q, wallet %d: %v", place, i, got)
			}
		}
	}
}

func TestNothingIsFoundWhereNothingIs(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	if got := paths.FindSocketsIn(env(), none, none); len(got) != 0 {
		t.Error(got)
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := paths.Owner(dir); got != os.Geteuid() {
		t.Errorf("%d", got)
	}
	if got := paths.Owner(filepath.Join(dir, "none")); got != -1 {
		t.Errorf("of nothing: %d", got)
	}
}

func TestSlotUserIsForRootInThePackagesHomeOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		home string
		euid int
	}{{"/var/lib/agentkeys", 1000}, {"/root/.agentkeys", 0}, {"/home/pi/.agentkeys", 1000}} {
		if uid, gid, ok := paths.SlotUser(tt.home, tt.euid); ok {
			t.Errorf("%+v: %d:%d", tt, uid, gid)
		}
	}
}

func TestMetricsSocketsOfEachPlace(t *testing.T) {
	t.Parallel()
	root := shortDir(t)
	env := map[string]string{"XDG_RUNTIME_DIR": filepath.Join(root, "run")}
	home := filepath.Join(root, "home")
	one, two := "0x00000000000000000000000000000000000000aa", "0x00000000000000000000000000000000000000bb"
	inRun, inHome := filepath.Join(root, "run", "agentkeys", one), filepath.Join(home, "daemon-"+two)
	for _, dir := range []string{inRun, inHome, filepath.Join(home, "daemon-"+one), filepath.Join(root, "run", "agentkeys", "x")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(dir, "metrics.sock"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	got := map[string]string{}
	for w, path := range paths.MetricsSockets(func(key string) string { return env[key] }, home) {
		got[w.String()] = path
	}
	want := map[string]string{one: filepath.Join(inRun, "metrics.sock"), two: filepath.Join(inHome, "metrics.sock")}
	for w, path := range want {
		if got[w] != path {
			t.Errorf("%s: %q, want %q", w, got[w], path)
		}
	}
}
