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

// seat is where a user logs in and out: each login has a bus and a keyring daemon of
// its own at the same address, as /run/user/1000/bus has, and the same collection.
type seat struct {
	t       *testing.T
	home    string
	path    string // of the bus
	address string
	bus     *keyringtest.Bus
	ring    *keyringtest.GnomeKeyring
	locked  bool
	frozen  bool
}

func newSeat(t *testing.T, home string) *seat {
	t.Helper()
	path := filepath.Join(keyringtest.Dir(t), "bus")
	return &seat{t: t, home: home, path: path, address: "unix:path=" + path}
}

func (s *seat) login() {
	s.t.Helper()
	s.bus = keyringtest.NewBus(s.t, "")
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	if err := os.Symlink(strings.TrimPrefix(s.bus.Address, "unix:path="), s.path); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

// open starts the keyring's daemon with the password of the login.
func (s *seat) open() {
	s.t.Helper()
	s.ring = keyringtest.StartGnomeKeyring(s.t, s.bus.Address, s.home, keyringtest.Unlocked)
	s.locked, s.frozen = false, false
}

func (s *seat) logout() {
	s.ring.Kill()
	s.bus.Kill()
}

func (s *seat) freeze() {
	s.ring.Stop()
	s.frozen = true
}

func (s *seat) thaw() {
	if s.frozen {
		s.ring.Continue()
		s.frozen = false
	}
}

func (s *seat) lock() {
	s.ring.Lock()
	s.locked = true
}

// heal gives the user a keyring that can be read.
func (s *seat) heal() {
	s.t.Helper()
	s.thaw()
	if s.ring.Ended() {
		s.open()
	}
	if s.locked {
		s.ring.Unlock()
		s.locked = false
	}
}

// entries are the values of one account in the keyring: of a healthy slot one. A keyring
// that ends by itself meanwhile is started again.
func (s *seat) entries(account string) []string {
	s.t.Helper()
	for {
		values, err := s.read(account)
		switch {
		case err == nil:
			return values
		case s.ring.EndsSoon():
			s.t.Logf("the keyring ended by itself: %s", s.ring.Outcome())
			s.open()
		default:
			s.t.Fatal(err)
		}
	}
}

func (s *seat) read(account string) ([]string, error) {
	const service, secrets = "org.freedesktop.Secret.Service", "org.freedesktop.secrets"
	conn, err := dbus.Connect(s.bus.Address)
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

// weather is what happens to the keyring while the programs work.
func (f *fire) weather() {
	if f.seat.ring.Ended() {
		f.tally["the keyring ended by itself"]++
		f.seat.open()
	}
	f.moment(80 * time.Millisecond)
	kind := f.pick(map[string]int{"fair": 10, "locked": 3, "frozen": 2, "frozen long": 1, "killed": 2, "killed for long": 1, "lock and unlock": 1})
	f.tally[kind]++
	switch kind {
	case "locked": // until the end of the round, a restart of the daemon included
		f.seat.lock()
	case "frozen":
		f.seat.freeze()
		f.moment(300 * time.Millisecond)
		f.seat.thaw()
	case "frozen long": // beyond the daemon's deadline: what was sent lands afterwards
		f.seat.freeze()
		f.d.signal(syscall.SIGHUP)
		time.Sleep(operation)
		f.moment(operation / 2)
	case "killed":
		f.seat.ring.Kill()
		f.seat.open()
	case "killed for long":
		f.seat.ring.Kill()
	case "lock and unlock":
		f.seat.lock()
		f.moment(100 * time.Millisecond)
		f.seat.heal()
	}
}

// relogin ends the user's session and begins another; as a rule the daemon goes with it.
func (f *fire) relogin() {
	f.t.Helper()
	stays := f.random.IntN(4) == 0
	f.tally["logged out"]++
	f.seat.logout()
	f.d.signal(syscall.SIGHUP)
	f.moment(100 * time.Millisecond)
	if !stays {
		f.cut(f.d.process, "daemon")
	}
	f.seat.login()
	if !stays {
		f.restart()
	}
}

func names(weights map[string]int) []string { return slices.Sorted(maps.Keys(weights)) }
