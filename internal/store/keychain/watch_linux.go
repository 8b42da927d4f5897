package keychain

import (
	"context"

	dbus "github.com/godbus/dbus/v5"
)

// The signals that may mean another state. A sender that is a well-known name is
// matched by whoever owns it; a match starts nobody.
const (
	matchOwner      = "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.secrets'"
	matchService    = "type='signal',sender='org.freedesktop.secrets',path='/org/freedesktop/secrets',interface='org.freedesktop.Secret.Service'"
	matchCollection = "type='signal',sender='org.freedesktop.secrets',path_namespace='/org/freedesktop/secrets',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.freedesktop.Secret.Collection'"
)

// poker turns each signal into a poke at once: the library starts a goroutine for
// each signal that a channel has no room for.
type poker func()

// DeliverSignal ignores the bus's own messages to us (NameAcquired).
func (p poker) DeliverSignal(iface, member string, _ *dbus.Signal) {
	if iface != busName || member == "NameOwnerChanged" {
		p()
	}
}

func (s secretService) watch(ctx context.Context, poke func()) bool {
	conn, err := s.subscribe(ctx, poke)
	if err != nil {
		return false // the next look says why
	}
	defer func() { _ = conn.Close() }()
	poke() // what happened between the last look and now
	select {
	case <-ctx.Done():
	case <-conn.Context().Done():
	}
	return true
}

func (s secretService) subscribe(ctx context.Context, poke func()) (*dbus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, _, err := s.dial(ctx, poker(poke))
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
