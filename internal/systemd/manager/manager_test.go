package manager_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/systemd/manager"
)

const (
	unit      = "agentkeys-daemon@0x0000000000000000000000000000000000000001.service"
	managerIs = "org.freedesktop.systemd1.Manager"
	root      = dbus.ObjectPath("/org/freedesktop/systemd1")
)

// fake is systemd on a private bus: it notes its calls and ends jobs as it is told.
type fake struct {
	conn   *dbus.Conn
	result string // of every job; empty: it never ends
	mu     sync.Mutex
	calls  []string
}

func (f *fake) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Reload is systemd's method.
func (f *fake) Reload() *dbus.Error {
	f.note("reload")
	return nil
}

type change struct{ Type, Name, Destination string }

// EnableUnitFiles is systemd's method.
func (f *fake) EnableUnitFiles(files []string, _, _ bool) (bool, []change, *dbus.Error) {
	f.note("enable " + files[0])
	return true, nil, nil
}

// StartUnit is systemd's method.
func (f *fake) StartUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return f.job("start " + name + " " + mode), nil
}

// RestartUnit is systemd's method.
func (f *fake) RestartUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return f.job("restart " + name + " " + mode), nil
}

// Get is org.freedesktop.DBus.Properties of the unit.
func (f *fake) Get(_, property string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant("online, " + property), nil
}

func (f *fake) job(call string) dbus.ObjectPath {
	f.note(call)
	path := root + "/job/1"
	if f.result != "" {
		_ = f.conn.Emit(root, managerIs+".JobRemoved", uint32(1), path, unit, f.result) // nobody else is on this bus
	}
	return path
}

// connect reaches a fake systemd. The address is a variable of the process, so
// these tests do not run beside each other.
func connect(t *testing.T, result string) (*manager.Manager, *fake) {
	t.Helper()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", keyringtest.StartBus(t))
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &fake{conn: conn, result: result}
	service := dbus.ObjectPath("/org/freedesktop/systemd1/unit/agentkeys_2ddaemon_400x0000000000000000000000000000000000000001_2eservice")
	for _, err := range []error{
		conn.Export(f, root, managerIs), conn.Export(f, service, "org.freedesktop.DBus.Properties"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	m, err := manager.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, f
}

func TestStartEnablesReloadsAndWaits(t *testing.T) {
	m, f := connect(t, "done")
	for _, restart := range []bool{false, true} {
		status, err := m.Start(t.Context(), unit, restart)
		if status != "online, StatusText" || err != nil {
			t.Errorf("%q, %v", status, err)
		}
	}
	want := []string{"enable " + unit, "reload", "start " + unit + " replace", "enable " + unit, "reload", "restart " + unit + " replace"}
	if diff := cmp.Diff(want, f.seen()); diff != "" {
		t.Error(diff)
	}
}

func TestAJobThatFailsIsSaid(t *testing.T) {
	m, _ := connect(t, "failed")
	if _, err := m.Start(t.Context(), unit, false); !errors.Is(err, manager.ErrNotStarted) {
		t.Error(err)
	}
}

func TestAJobThatNeverEndsIsWaitedForOnlySoLong(t *testing.T) {
	m, _ := connect(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := m.Start(ctx, unit, false); !errors.Is(err, manager.ErrNotStarted) {
		t.Error(err)
	}
}
