package e2e_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// linuxUser logs in and out: each login has a bus and a keyring daemon of
// its own at the same address, as /run/user/1000/bus has, and the same collection.
type linuxUser struct {
	t       *testing.T
	home    string
	path    string // of the bus
	address string
	bus     *keyringtest.Bus
	ring    *keyringtest.GnomeKeyring
	locked  bool
	frozen  bool
}

func newLinuxUser(t *testing.T, home string) *linuxUser {
	t.Helper()
	path := filepath.Join(keyringtest.Dir(t), "bus")
	return &linuxUser{t: t, home: home, path: path, address: "unix:path=" + path}
}

func (u *linuxUser) login() {
	u.t.Helper()
	u.bus = keyringtest.NewBus(u.t, "")
	if err := os.Remove(u.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		u.t.Fatal(err)
	}
	if err := os.Symlink(strings.TrimPrefix(u.bus.Address, "unix:path="), u.path); err != nil {
		u.t.Fatal(err)
	}
	u.open()
}

// open starts the keyring's daemon with the password of the login.
func (u *linuxUser) open() {
	u.t.Helper()
	u.ring = keyringtest.StartGnomeKeyring(u.t, u.bus.Address, u.home, keyringtest.Unlocked)
	u.locked, u.frozen = false, false
}

func (u *linuxUser) logout() {
	u.ring.Kill()
	u.bus.Kill()
}

func (u *linuxUser) freeze() {
	u.ring.Stop()
	u.frozen = true
}

func (u *linuxUser) thaw() {
	if u.frozen {
		u.ring.Continue()
		u.frozen = false
	}
}

func (u *linuxUser) lock() {
	u.ring.Lock()
	u.locked = true
}

// heal gives the user a keyring that can be read.
func (u *linuxUser) heal() {
	u.t.Helper()
	u.thaw()
	if u.ring.Ended() {
		u.open()
	}
	if u.locked {
		u.ring.Unlock()
		u.locked = false
	}
}

// entries are the values of one account in the keyring: of a healthy slot one. A keyring
// that ended by itself is started again.
func (u *linuxUser) entries(account string) []string {
	u.t.Helper()
	for {
		values, err := u.read(account)
		switch {
		case err == nil:
			return values
		case u.ring.EndsSoon():
			u.t.Logf("the keyring ended by itself: %s", u.ring.Outcome())
			u.open()
		default:
			u.t.Fatal(err)
		}
	}
}

func (u *linuxUser) read(account string) ([]string, error) {
	const service, secrets = "org.freedesktop.Secret.Service", "org.freedesktop.secrets"
	conn, err := dbus.Connect(u.bus.Address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	object := conn.Object(secrets, "/org/freedesktop/secrets")
	var nothing dbus.Variant
	var session dbus.ObjectPath
	if err := object.Call(service+".OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&nothing, &session); err != nil {
		return nil, err
	}
	var items []dbus.ObjectPath
	login := conn.Object(secrets, "/org/freedesktop/secrets/collection/login")
	attributes := map[string]string{"service": "agentkeys", "username": account}
	if err := login.Call("org.freedesktop.Secret.Collection.SearchItems", 0, attributes).Store(&items); err != nil {
		return nil, err
	}
	var found map[dbus.ObjectPath]struct {
		Session           dbus.ObjectPath
		Parameters, Value []byte
		ContentType       string
	}
	if err := object.Call(service+".GetSecrets", 0, items, session).Store(&found); err != nil {
		return nil, err
	}
	var values []string
	for _, secret := range found {
		values = append(values, string(secret.Value))
	}
	return values, nil
}

// entry takes a value of ours apart.
func entry(t testing.TB, value string) (generation uint64, payload []byte) {
	t.Helper()
	parts := strings.Split(value, ".")
	if len(parts) != 3 || parts[0] != "ak1" {
		t.Fatalf("an entry of %d bytes is not ours", len(value))
	}
	generation, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if payload, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		t.Fatal(err)
	}
	return generation, payload
}

// disturb does what may happen to the keyring while the programs work.
func (k *killTest) disturb() {
	if k.user.ring.Ended() {
		k.tally["the keyring ended by itself"]++
		k.user.open()
	}
	k.pause(80 * time.Millisecond)
	kind := k.pick(map[string]int{"fair": 10, "locked": 3, "frozen": 2, "frozen long": 1, "killed": 2, "killed for long": 1, "lock and unlock": 1})
	k.tally[kind]++
	switch kind {
	case "locked": // until the end of the round, a restart of the daemon included
		k.user.lock()
	case "frozen":
		k.user.freeze()
		k.pause(300 * time.Millisecond)
		k.user.thaw()
	case "frozen long": // beyond the daemon's deadline: what was sent lands afterwards
		k.user.freeze()
		k.d.signal(syscall.SIGHUP)
		time.Sleep(operation)
		k.pause(operation / 2)
	case "killed":
		k.user.ring.Kill()
		k.user.open()
	case "killed for long":
		k.user.ring.Kill()
	case "lock and unlock":
		k.user.lock()
		k.pause(100 * time.Millisecond)
		k.user.heal()
	}
}

// relogin ends the user's session and begins another; as a rule the daemon goes with it.
func (k *killTest) relogin() {
	k.t.Helper()
	stays := k.random.IntN(4) == 0
	k.tally["logged out"]++
	k.user.logout()
	k.d.signal(syscall.SIGHUP)
	k.pause(100 * time.Millisecond)
	if !stays {
		k.cut(k.d.process, "daemon")
	}
	k.user.login()
	if !stays {
		k.restart()
	}
}

func names(weights map[string]int) []string { return slices.Sorted(maps.Keys(weights)) }
