package keychain

import (
	"context"
	"errors"
	"os"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// probe asks on a connection of its own, so that no other call of this process can delay it.
func (s secretService) probe(ctx context.Context) (store.Probe, string) {
	conn, place, err := s.dial(ctx, noSignals{})
	if err != nil {
		state, reason := explain(err)
		return store.Probe{State: state, Provider: words.ProviderUnknown, Reason: reason}, ""
	}
	defer func() { _ = conn.Close() }()
	probe, _ := inspect(ctx, conn)
	return probe, place.address
}

// inspect finds the provider and its collection, and their state. The service that it returns
// is complete only where the state is a readable one.
func inspect(ctx context.Context, conn *dbus.Conn) (store.Probe, *service) {
	s := &service{conn: conn}
	p := store.Probe{Provider: words.ProviderUnknown}
	err := func() (err error) {
		if err = askBus(ctx, conn, &p.BusID, "GetId"); err != nil {
			return err
		}
		if err = askBus(ctx, conn, &p.Owner, "GetNameOwner", secretsName); err != nil {
			return err
		}
		s.owner = p.Owner
		p.Provider = providerOf(ctx, conn, p.Owner)
		s.provider = p.Provider
		if err = s.findCollection(ctx); err != nil {
			return err
		}
		p.State, err = s.state(ctx)
		return err
	}()
	switch {
	case err != nil:
		p.State, p.Reason = explain(err)
	case p.State == words.KeychainLocked:
		p.Reason = reasonLocked
	case p.Provider == words.ProviderKeePassXC:
		p.State, p.Reason = words.KeychainPromptsOnWrite, "KeePassXC asks a person at every write"
	}
	return p, s
}

const (
	reasonLocked       = "the keyring is locked"
	reasonNoBus        = "there is no session bus"
	reasonNoOwner      = "no secret service runs on the session bus"
	reasonNoCollection = "the secret service has no open default collection"
	reasonHung         = "the secret service did not answer in time"
	reasonDenied       = "the session bus or the secret service refuses this program"
	reasonShape        = "the secret service answers against its specification"
)

// explain turns an error into the state that it means, in our own words.
func explain(err error) (words.KeychainState, string) {
	var refusal dbus.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return words.KeychainHung, reasonHung
	case errors.Is(err, errNoCollection):
		return words.KeychainNoCollection, reasonNoCollection
	case errors.Is(err, errAuth):
		return words.KeychainDenied, reasonDenied
	case errors.Is(err, errNoAddress), errors.Is(err, errBus), lost(err):
		return words.KeychainNoBus, reasonNoBus
	case errors.As(err, &refusal):
		return explainName(refusal.Name)
	}
	return words.KeychainDenied, reasonShape
}

func explainName(name string) (words.KeychainState, string) {
	switch name {
	case "org.freedesktop.DBus.Error.NameHasNoOwner", "org.freedesktop.DBus.Error.ServiceUnknown":
		return words.KeychainNoOwner, reasonNoOwner
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout", "org.freedesktop.DBus.Error.TimedOut":
		return words.KeychainHung, reasonHung
	case "org.freedesktop.Secret.Error.IsLocked":
		return words.KeychainLocked, reasonLocked
	case "org.freedesktop.Secret.Error.NoSuchObject", "org.freedesktop.DBus.Error.UnknownObject":
		return words.KeychainNoCollection, reasonNoCollection
	case "org.freedesktop.DBus.Error.Disconnected":
		return words.KeychainNoBus, reasonNoBus
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.AuthFailed":
		return words.KeychainDenied, reasonDenied
	}
	return words.KeychainDenied, reasonShape
}
