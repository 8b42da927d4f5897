package keyringtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/test/needs"
)

// State is how a gnome-keyring is started.
type State string

// The states. Passwordless is one that was made without a password in an earlier
// session: it says it is locked and unlocks without a prompt. None has no collection.
const (
	Unlocked     State = "unlocked"
	Locked       State = "locked"
	Passwordless State = "passwordless"
	None         State = "none"
)

// Password of the login collection in the states Unlocked and Locked.
const Password = "correct horse"

const (
	secretsName = "org.freedesktop.secrets"
	secretsPath = dbus.ObjectPath("/org/freedesktop/secrets")
	loginPath   = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
)

// GnomeKeyring is a real gnome-keyring-daemon on a private bus.
type GnomeKeyring struct {
	Address string
	Home    string
	*Process
}

// Env is what a program needs to be in the session of the keyring and in no other.
func Env(address, home string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "USER=tester", "LC_ALL=C.UTF-8",
		"XDG_DATA_HOME=" + filepath.Join(home, "data"), "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "XDG_RUNTIME_DIR=" + filepath.Join(home, "run"),
		"DBUS_SESSION_BUS_ADDRESS=" + address, "GIO_USE_VFS=local", "GSETTINGS_BACKEND=memory",
	}
}

// StartGnomeKeyring starts one and waits until it owns its name. home keeps the
// collection; use it again to restart the same keyring in another state.
func StartGnomeKeyring(t testing.TB, address, home string, state State) *GnomeKeyring {
	t.Helper()
	needs.Programs(t, "gnome-keyring-daemon")
	for _, dir := range []string{"data/keyrings", "config", "cache", "run"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	switch state {
	case Locked:
		makeLogin(t, address, home)
		return startDaemon(t, address, home, nil)
	case Passwordless:
		writePlainLogin(t, home)
		return startDaemon(t, address, home, nil)
	case Unlocked:
		password := Password
		return startDaemon(t, address, home, &password)
	}
	return startDaemon(t, address, home, nil)
}

// makeLogin leaves a login collection behind, unless there is one.
func makeLogin(t testing.TB, address, home string) {
	t.Helper()
	if _, err := os.Stat(loginFile(home)); err == nil {
		return
	}
	password := Password
	startDaemon(t, address, home, &password).Kill()
}

// writePlainLogin leaves what gnome-keyring itself writes for an empty password:
// an unencrypted file.
func writePlainLogin(t testing.TB, home string) {
	t.Helper()
	const empty = "[keyring]\ndisplay-name=login\nctime=1\nmtime=1\nlock-on-idle=false\nlock-after=false\n"
	if _, err := os.Stat(loginFile(home)); err == nil {
		return
	}
	if err := os.WriteFile(loginFile(home), []byte(empty), 0o600); err != nil {
		t.Fatal(err)
	}
}

func loginFile(home string) string { return filepath.Join(home, "data", "keyrings", "login.keyring") }

// startDaemon unlocks, and where there is none makes, the login collection unless
// password is nil. gnome-keyring 42 sometimes aborts while it answers the first question
// after its start (g_dbus: invoke_get_property_in_idle_cb): then it is started again.
func startDaemon(t testing.TB, address, home string, password *string) *GnomeKeyring {
	t.Helper()
	for range 5 {
		g := launch(t, address, home, password)
		waitFor(t, "gnome-keyring to own its name", func() bool { return g.Ended() || owner(t, address) != "" })
		ready := soon(func() bool { return g.Ended() || g.answers(password != nil) })
		switch {
		case g.Ended():
			t.Logf("gnome-keyring ended by itself: %s", g.Outcome())
		case ready:
			return g
		default:
			g.explain(t)
		}
	}
	t.Fatal("gnome-keyring does not stay")
	return nil
}

// launch waits for the name: one that was killed a moment ago may still own it, and a new
// one would give up on it, and run on without.
func launch(t testing.TB, address, home string, password *string) *GnomeKeyring {
	t.Helper()
	waitFor(t, "the name to be free", func() bool { return owner(t, address) == "" })
	args := []string{"--foreground", "--components=secrets", "--control-directory=" + filepath.Join(home, "run", "keyring")}
	cmd := exec.Command("gnome-keyring-daemon", args...)
	cmd.Env = Env(address, home)
	if password != nil {
		cmd.Args = append(cmd.Args, "--unlock")
		cmd.Stdin = strings.NewReader(*password)
	}
	return &GnomeKeyring{Address: address, Home: home, Process: start(t, cmd)}
}

// explain ends a test whose login collection does not open.
func (g *GnomeKeyring) explain(t testing.TB) {
	t.Helper()
	who := owner(t, g.Address)
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(loginFile(g.Home)), "*"))
	g.Kill()
	t.Fatalf("the login collection does not open: owner %q; files %v; gnome-keyring: %s", who, files, g.Outcome())
}

// Lock locks the login collection, as a person would.
func (g *GnomeKeyring) Lock() {
	g.t.Helper()
	conn := g.connect()
	defer func() { _ = conn.Close() }()
	call := conn.Object(secretsName, secretsPath).Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{loginPath})
	g.need(call.Err)
}

// need ends the test, unless gnome-keyring ended by itself: then Ended says so.
func (g *GnomeKeyring) need(err error) {
	g.t.Helper()
	switch {
	case err == nil:
	case g.EndsSoon():
		g.t.Logf("%v: gnome-keyring ended by itself: %s", err, g.Outcome())
	default:
		g.t.Fatal(err)
	}
}

// Unlock unlocks the login collection with its password: what the prompt does when
// a person has typed it.
func (g *GnomeKeyring) Unlock() {
	g.t.Helper()
	conn := g.connect()
	defer func() { _ = conn.Close() }()
	object := conn.Object(secretsName, secretsPath)
	var nothing dbus.Variant
	var session dbus.ObjectPath
	if err := object.Call("org.freedesktop.Secret.Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&nothing, &session); err != nil {
		g.need(err)
		return
	}
	secret := struct {
		Session           dbus.ObjectPath
		Parameters, Value []byte
		ContentType       string
	}{session, []byte{}, []byte(Password), "text/plain"}
	call := object.Call("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword", 0, loginPath, secret)
	g.need(call.Err)
}

// EndsSoon is Ended, after a while: the bus says that its client is gone before its
// parent can.
func (g *GnomeKeyring) EndsSoon() bool { return soon(g.Ended) }

func (g *GnomeKeyring) connect() *dbus.Conn {
	g.t.Helper()
	conn, err := dbus.Connect(g.Address)
	if err != nil {
		g.t.Fatal(err)
	}
	return conn
}

// Connect opens a connection to a bus, closed when the test ends.
func Connect(t testing.TB, address string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func owner(t testing.TB, address string) string {
	t.Helper()
	return ownerOf(t, address, secretsName)
}

func ownerOf(t testing.TB, address, wellKnown string) string {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var name string
	_ = conn.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, wellKnown).Store(&name) // empty where there is no owner
	return name
}

// answers asks the first question: where there is a login collection, whether that is
// locked.
func (g *GnomeKeyring) answers(unlocked bool) bool {
	g.t.Helper()
	conn := g.connect()
	defer func() { _ = conn.Close() }()
	if _, err := os.Stat(loginFile(g.Home)); err != nil && !unlocked {
		_, err := conn.Object(secretsName, secretsPath).GetProperty("org.freedesktop.Secret.Service.Collections")
		return err == nil
	}
	v, err := conn.Object(secretsName, loginPath).GetProperty("org.freedesktop.Secret.Collection.Locked")
	return err == nil && (!unlocked || v.Value() == false)
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	if !soon(done) {
		t.Fatalf("waited %v for %s", waitLimit, what)
	}
}

// soon waits until done says so, and not longer than waitLimit.
func soon(done func() bool) bool {
	for deadline := time.Now().Add(waitLimit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
