package keychain_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestProbeReadsWhatTheSecretServiceSays(t *testing.T) {
	t.Parallel()
	failure := func(name string) *dbus.Error { return dbus.NewError(name, []any{"the provider's own words"}) }
	for name, tt := range map[string]struct {
		script   func(*fakeSecrets)
		names    []string
		want     words.KeychainState
		provider string
		dismiss  int
	}{
		"an unlocked login collection": {want: words.KeychainUnlocked},
		"locked behind a prompt": {
			script: func(f *fakeSecrets) { f.locked = true }, want: words.KeychainLocked, dismiss: 1,
		},
		"locked, and unlocks without a prompt": {
			script: func(f *fakeSecrets) {
				f.locked = true
				f.unlock = func(f *fakeSecrets) (dbus.ObjectPath, *dbus.Error) { f.locked = false; return "/", nil }
			},
			want: words.KeychainUnlocked,
		},
		"locked, and says it unlocked": {
			script: func(f *fakeSecrets) {
				f.locked = true
				f.unlock = func(*fakeSecrets) (dbus.ObjectPath, *dbus.Error) { return "/", nil }
			},
			want: words.KeychainLocked,
		},
		"no login, default is another": {
			script: func(f *fakeSecrets) { f.collections, f.alias = []dbus.ObjectPath{fakeOther}, fakeOther }, want: words.KeychainUnlocked,
		},
		"no login, default is the session collection": {
			script: func(f *fakeSecrets) { f.collections, f.alias = []dbus.ObjectPath{fakeSession}, fakeSession }, want: words.KeychainNoCollection,
		},
		"no collection": {
			script: func(f *fakeSecrets) { f.collections, f.alias = []dbus.ObjectPath{}, "/" }, want: words.KeychainNoCollection,
		},
		"collections of another type": {
			script: func(f *fakeSecrets) { f.collections = "login" }, want: words.KeychainDenied,
		},
		"AppArmor refuses": {
			script: func(f *fakeSecrets) { f.refuse = failure("org.freedesktop.DBus.Error.AccessDenied") }, want: words.KeychainDenied,
		},
		"the provider says NoReply": {
			script: func(f *fakeSecrets) { f.refuse = failure("org.freedesktop.DBus.Error.NoReply") }, want: words.KeychainHung,
		},
		"the provider says IsLocked": {
			script: func(f *fakeSecrets) { f.refuse = failure("org.freedesktop.Secret.Error.IsLocked") }, want: words.KeychainLocked,
		},
		"KeePassXC": {
			names: []string{"org.keepassxc.KeePassXC.MainWindow"}, want: words.KeychainPromptsOnWrite, provider: "KeePassXC",
		},
		"KeePassXC without an open database": {
			script: func(f *fakeSecrets) { f.collections, f.alias = []dbus.ObjectPath{}, "/" },
			names:  []string{"org.keepassxc.KeePassXC.MainWindow"}, want: words.KeychainNoCollection, provider: "KeePassXC",
		},
		"kwallet": {names: []string{"org.kde.kwalletd6"}, want: words.KeychainUnlocked, provider: "kwallet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := keyringtest.StartBus(t)
			f := startFake(t, address, tt.names...)
			if tt.script != nil {
				f.mu.Lock()
				tt.script(f)
				f.mu.Unlock()
			}
			monitor := keyringtest.StartMonitor(t, address)
			p := newKeychain(t, "DBUS_SESSION_BUS_ADDRESS="+address).Probe(t.Context())
			wantState(t, p, tt.want)
			if want := tt.provider; want != "" && p.Provider != want {
				t.Errorf("provider %q, want %q", p.Provider, want)
			}
			if p.State == words.KeychainUnlocked && p.Reason != "" || p.State != words.KeychainUnlocked && p.Reason == "" {
				t.Errorf("reason %q", p.Reason)
			}
			defer f.lock()()
			if f.dismissed != tt.dismiss {
				t.Errorf("%d prompts dismissed, want %d", f.dismissed, tt.dismiss)
			}
			onlyHarmlessCalls(t, monitor.Calls(t, address))
		})
	}
}

// onlyHarmlessCalls is invariant 8 of the store: the probe sends no Prompt, no
// CreateCollection, no SearchItems, no write, and nothing for which the bus may start a
// program.
func onlyHarmlessCalls(t *testing.T, calls []keyringtest.Call) {
	t.Helper()
	harmless := []string{
		"org.freedesktop.DBus.Hello", "org.freedesktop.DBus.GetId", "org.freedesktop.DBus.GetNameOwner",
		"org.freedesktop.DBus.GetConnectionUnixProcessID", "org.freedesktop.DBus.AddMatch", "org.freedesktop.DBus.RemoveMatch", "org.freedesktop.DBus.Properties.Get",
		serviceIface + ".ReadAlias", serviceIface + ".Unlock", "org.freedesktop.Secret.Prompt.Dismiss",
	}
	for _, call := range calls {
		if !slices.Contains(harmless, call.Method) {
			t.Errorf("the probe called %s", call.Method)
		}
		if call.Destination != "org.freedesktop.DBus" && (call.AutoStart || call.Destination[0] != ':') {
			t.Errorf("%s to %s could start a program", call.Method, call.Destination)
		}
	}
	if len(calls) < 3 {
		t.Errorf("the monitor saw only %v", calls)
	}
}

func TestProbeStartsNoActivatableProvider(t *testing.T) {
	t.Parallel()
	dir := keyringtest.Dir(t)
	marker := filepath.Join(dir, "started")
	unit := "[D-BUS Service]\nName=org.freedesktop.secrets\nExec=/usr/bin/touch " + marker + "\n"
	if err := os.WriteFile(filepath.Join(dir, "secrets.service"), []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	bus := keyringtest.NewBus(t, dir)
	k := newKeychain(t, "DBUS_SESSION_BUS_ADDRESS="+bus.Address)
	wantState(t, k.ProbeNow(t.Context()), words.KeychainNoOwner)
	_, err := k.Get(t.Context(), account)
	wantUnavailable(t, err, words.KeychainNoOwner)
	wantUnavailable(t, k.Put(t.Context(), account, "v"), words.KeychainNoOwner)
	wantUnavailable(t, k.Delete(t.Context(), account), words.KeychainNoOwner)
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the provider was started: %v", err)
	}
}

func wantUnavailable(t *testing.T, err error, want words.KeychainState) {
	t.Helper()
	var unavailable *store.UnavailableError
	if !errors.As(err, &unavailable) || unavailable.State != want || unavailable.Reason == "" {
		t.Errorf("error %v, want unavailable: %s", err, want)
	}
}

func TestABusThatCannotBeUsedIsSaidInTime(t *testing.T) {
	t.Parallel()
	listen := func(serve func(net.Conn)) func(*testing.T) string {
		return func(t *testing.T) string { return serveSocket(t, serve) }
	}
	for name, tt := range map[string]struct {
		address func(*testing.T) string
		want    words.KeychainState
		atLeast time.Duration
	}{
		"no variable, no runtime directory": {address: func(*testing.T) string { return "" }, want: words.KeychainNoBus},
		"autolaunch is not done":            {address: func(*testing.T) string { return "autolaunch:" }, want: words.KeychainNoBus},
		"a program is not started":          {address: func(*testing.T) string { return "unixexec:path=/bin/true" }, want: words.KeychainNoBus},
		"no such socket":                    {address: func(*testing.T) string { return "unix:path=/nonexistent/bus" }, want: words.KeychainNoBus},
		"a socket without a server":         {address: deadSocket, want: words.KeychainNoBus},
		"another user's bus hangs up":       {address: listen(func(c net.Conn) { _ = c.Close() }), want: words.KeychainDenied},
		"a bus that rejects": {address: listen(func(c net.Conn) {
			_, _ = c.Write([]byte("REJECTED EXTERNAL\r\nREJECTED EXTERNAL\r\n"))
			_, _ = c.Read(make([]byte, 100))
		}), want: words.KeychainDenied},
		"a bus that never answers AUTH": {address: listen(func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
		}), want: words.KeychainHung, atLeast: 400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := tt.address(t)
			open := newKeychain
			if tt.want == words.KeychainHung {
				open = newQuick
			}
			k := open(t, "DBUS_SESSION_BUS_ADDRESS="+address)
			begin := time.Now()
			wantState(t, k.ProbeNow(t.Context()), tt.want)
			if took := time.Since(begin); took < tt.atLeast || took > slack {
				t.Errorf("took %v", took)
			}
			_, err := k.Get(t.Context(), account)
			wantUnavailable(t, err, tt.want)
		})
	}
}

func TestNewTouchesNothing(t *testing.T) {
	t.Parallel()
	address := serveSocket(t, func(net.Conn) { t.Error("a connection was made") })
	k := newKeychain(t, "DBUS_SESSION_BUS_ADDRESS="+address)
	if p, ok := k.Last(); ok || k.MaxValue() != 0 {
		t.Errorf("last %+v, at most %d bytes", p, k.MaxValue())
	}
}

// serveSocket accepts connections and keeps them open until the test ends.
func serveSocket(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	path := filepath.Join(keyringtest.Dir(t), "bus")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open = append(open, conn)
			serve(conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	return "unix:path=" + path
}

// deadSocket is what a bus that died leaves. It never listens: a child of another test
// would have the listener until its exec, and a connection would succeed.
func deadSocket(t *testing.T) string {
	t.Helper()
	path := filepath.Join(keyringtest.Dir(t), "bus")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Close(fd)); err != nil {
		t.Fatal(err)
	}
	return "unix:path=" + path
}
