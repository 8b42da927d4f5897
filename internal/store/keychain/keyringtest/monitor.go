package keyringtest

import (
	"slices"
	"sync"
	"testing"

	dbus "github.com/godbus/dbus/v5"
)

// Call is one method call that was sent on a bus.
type Call struct {
	Destination, Method string // Method with its interface
	AutoStart           bool   // the bus may start the destination
}

// Monitor sees every method call on a bus, of every sender.
type Monitor struct {
	mu    sync.Mutex
	calls []Call
}

// StartMonitor listens from now until the test ends.
func StartMonitor(t testing.TB, address string) *Monitor {
	t.Helper()
	conn := Connect(t, address)
	if err := conn.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, []string{"type='method_call'"}, uint32(0)).Err; err != nil {
		t.Fatal(err)
	}
	messages := make(chan *dbus.Message, 1000)
	conn.Eavesdrop(messages)
	m := new(Monitor)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		m.listen(messages, stop)
	}()
	t.Cleanup(func() {
		conn.Eavesdrop(nil) // godbus would close the channel and might then send on it
		close(stop)
		<-done
	})
	return m
}

func (m *Monitor) listen(messages <-chan *dbus.Message, stop <-chan struct{}) {
	for {
		select {
		case msg, ok := <-messages:
			if !ok {
				return // the bus is gone
			}
			m.add(msg)
		case <-stop:
			return
		}
	}
}

func (m *Monitor) add(msg *dbus.Message) {
	if msg.Type != dbus.TypeMethodCall {
		return
	}
	text := func(f dbus.HeaderField) string {
		s, _ := msg.Headers[f].Value().(string)
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, Call{
		Destination: text(dbus.FieldDestination),
		Method:      text(dbus.FieldInterface) + "." + text(dbus.FieldMember),
		AutoStart:   msg.Flags&dbus.FlagNoAutoStart == 0,
	})
}

// Calls waits until the bus has passed on everything that was sent before, and
// returns it all in order, without the caller's own farewell call.
func (m *Monitor) Calls(t testing.TB, address string) []Call {
	t.Helper()
	const farewell = "org.agentkeys.Test.Farewell"
	conn := Connect(t, address)
	_ = conn.BusObject().Call(farewell, dbus.FlagNoAutoStart).Err // unknown method; only the monitor minds
	var all []Call
	waitFor(t, "the monitor", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		all = slices.Clone(m.calls)
		return slices.ContainsFunc(all, func(c Call) bool { return c.Method == farewell })
	})
	return slices.DeleteFunc(all, func(c Call) bool { return c.Method == farewell })
}
