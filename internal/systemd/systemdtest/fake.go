// Package systemdtest gives tests a fake systemd on a bus of its own. It records its calls
// and ends jobs with the result that it is given.
package systemdtest

import (
	"path"
	"slices"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

const (
	managerName = "org.freedesktop.systemd1"
	managerPath = dbus.ObjectPath("/org/freedesktop/systemd1")
)

// Systemd is on a private bus, whose Address is for DBUS_SYSTEM_BUS_ADDRESS.
type Systemd struct {
	Address string
	Result  string // of every job; empty: the job never ends
	Status  string // the status text of each unit

	conn  *dbus.Conn
	mu    sync.Mutex
	calls []string
	units []string
	user  string
}

// Start connects a fake to a bus. It ends with the test.
func Start(t testing.TB, result, status string) *Systemd {
	t.Helper()
	s := &Systemd{Address: keyringtest.StartBus(t), Result: result, Status: status}
	conn, err := dbus.Connect(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the bus ends too
	s.conn = conn
	for _, err := range []error{
		conn.Export((*methods)(s), managerPath, managerName+".Manager"),
		conn.ExportSubtree((*properties)(s), managerPath+"/unit", "org.freedesktop.DBus.Properties"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName(managerName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return s
}

// Calls are the calls that changed something, in order.
func (s *Systemd) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Load says which units are loaded, sorted, and as which user all units run.
func (s *Systemd) Load(user string, units ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units, s.user = units, user
}

func (s *Systemd) loaded() (user string, units []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user, s.units
}

func (s *Systemd) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

// methods are the methods that D-Bus calls.
type methods Systemd

// Reload implements systemd's method.
func (m *methods) Reload() *dbus.Error {
	(*Systemd)(m).note("reload")
	return nil
}

type change struct{ Type, Name, Destination string }

// EnableUnitFiles implements systemd's method.
func (m *methods) EnableUnitFiles(files []string, _, _ bool) (bool, []change, *dbus.Error) {
	(*Systemd)(m).note("enable " + files[0])
	return true, nil, nil
}

// ReloadOrRestartUnit implements systemd's method: it starts a unit that does not run.
func (m *methods) ReloadOrRestartUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("reload-or-restart", name, mode), nil
}

// RestartUnit implements systemd's method.
func (m *methods) RestartUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("restart", name, mode), nil
}

func (m *methods) job(verb, unit, mode string) dbus.ObjectPath {
	(*Systemd)(m).note(verb + " " + unit + " " + mode)
	job := managerPath + "/job/1"
	if m.Result != "" {
		_ = m.conn.Emit(managerPath, managerName+".Manager.JobRemoved", uint32(1), job, unit, m.Result) // the test alone is on this bus
	}
	return job
}

// unit is a unit as systemd lists it.
type unit struct {
	Name, Description, LoadState, ActiveState, SubState, Followed string
	Path                                                          dbus.ObjectPath
	JobID                                                         uint32
	JobType                                                       string
	JobPath                                                       dbus.ObjectPath
}

// ListUnitsByPatterns implements systemd's method.
func (m *methods) ListUnitsByPatterns(_, patterns []string) ([]unit, *dbus.Error) {
	list := []unit{}
	_, units := (*Systemd)(m).loaded()
	for _, name := range units {
		if ok, err := path.Match(patterns[0], name); err == nil && ok {
			list = append(list, unit{Name: name, LoadState: "loaded", ActiveState: "active", SubState: "running", Path: managerPath + "/unit/x", JobPath: "/"})
		}
	}
	return list, nil
}

// properties are the properties of every unit.
type properties Systemd

// Get implements org.freedesktop.DBus.Properties.
func (p *properties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	switch name {
	case "StatusText":
		return dbus.MakeVariant(p.Status), nil
	case "User":
		user, _ := (*Systemd)(p).loaded()
		return dbus.MakeVariant(user), nil
	}
	return dbus.Variant{}, dbus.MakeFailedError(dbus.ErrMsgUnknownMethod)
}
