package keychain

import (
	"context"

	dbus "github.com/godbus/dbus/v5"
)

// The signals after which the state may have changed. A well-known name as sender matches
// its present owner; a match rule starts no program.
const (
	matchOwner      = "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.secrets'"
	matchService    = "type='signal',sender='org.freedesktop.secrets',path='/org/freedesktop/secrets',interface='org.freedesktop.Secret.Service'"
	matchCollection = "type='signal',sender='org.freedesktop.secrets',path_namespace='/org/freedesktop/secrets',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.freedesktop.Secret.Collection'"
)

// waker calls a function for each signal. The library's other way, a channel, starts a
// goroutine for each signal that the channel has no room for.
type waker func()

// DeliverSignal ignores what the bus sends to this connection alone (NameAcquired).
func (p waker) DeliverSignal(iface, member string, _ *dbus.Signal) {
	if iface != busName || member == "NameOwnerChanged" {
		p()
	}
}

func (s secretService) watch(ctx context.Context, wake func()) bool {
	conn, err := s.subscribe(ctx, wake)
	if err != nil {
		return false // the next probe says why
	}
	defer func() { _ = conn.Close() }()
	wake() // for what happened between the last probe and now
	select {
	case <-ctx.Done():
	case <-conn.Context().Done():
	}
	return true
}

func (s secretService) subscribe(ctx context.Context, wake func()) (*dbus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, _, err := s.dial(ctx, waker(wake))
	if err != nil {
		return nil, err
	}
	for _, rule := range []string{matchOwner, matchService, matchCollection} {
		call := conn.BusObject().CallWithContext(ctx, busName+".AddMatch", dbus.FlagNoAutoStart, rule)
		if call.Err != nil {
			_ = conn.Close()
			return nil, call.Err
		}
	}
	return conn, nil
}
