package keychain

import (
	"context"
	"errors"
	"slices"

	dbus "github.com/godbus/dbus/v5"

	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	busName         = "org.freedesktop.DBus"
	busPath         = dbus.ObjectPath("/org/freedesktop/DBus")
	propertyGet     = "org.freedesktop.DBus.Properties.Get"
	secretsName     = "org.freedesktop.secrets"
	secretsPath     = dbus.ObjectPath("/org/freedesktop/secrets")
	serviceIface    = "org.freedesktop.Secret.Service"
	collectionIface = "org.freedesktop.Secret.Collection"
	itemIface       = "org.freedesktop.Secret.Item"
	promptIface     = "org.freedesktop.Secret.Prompt"

	loginPath   = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	sessionPath = dbus.ObjectPath("/org/freedesktop/secrets/collection/session") // gone at logout
	noPath      = dbus.ObjectPath("/")                                           // the specification's "none"
)

// errNoCollection: there is no collection that outlives the login session.
var errNoCollection = errors.New("no collection")

// errShape: an answer of another type than the Secret Service specification says.
var errShape = errors.New("not a secret service answer")

// service is one provider, addressed by its unique name on the bus. So a call starts no
// program, and never reaches a provider that took the well-known name over after the probe.
type service struct {
	conn       *dbus.Conn
	owner      string
	provider   string // one of the constants
	collection dbus.ObjectPath
}

func (s *service) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return s.conn.Object(s.owner, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
}

// property decodes a property into out; errShape when it has another type than out.
func (s *service) property(ctx context.Context, path dbus.ObjectPath, iface, name string, out any) error {
	var v dbus.Variant
	if err := s.call(ctx, path, propertyGet, iface, name).Store(&v); err != nil {
		return err
	}
	if dbus.Store([]any{v.Value()}, out) != nil {
		return errShape
	}
	return nil
}

// askBus calls a method of the bus itself, which starts no program.
func askBus(ctx context.Context, conn *dbus.Conn, out any, method string, args ...any) error {
	object := conn.Object(busName, busPath)
	return object.CallWithContext(ctx, busName+"."+method, dbus.FlagNoAutoStart, args...).Store(out)
}

// findCollection follows go-keyring's rule: `login` where it is listed, else the alias
// `default`. It never takes the session collection, which is lost at logout.
// errNoCollection: there is no other one.
func (s *service) findCollection(ctx context.Context) error {
	var listed []dbus.ObjectPath
	if err := s.property(ctx, secretsPath, serviceIface, "Collections", &listed); err != nil {
		return err
	}
	if slices.Contains(listed, loginPath) {
		s.collection = loginPath
		return nil
	}
	var path dbus.ObjectPath
	if err := s.call(ctx, secretsPath, serviceIface+".ReadAlias", "default").Store(&path); err != nil {
		return err
	}
	if path == noPath || path == sessionPath {
		return errNoCollection
	}
	s.collection = path
	return nil
}

// state of the collection. A keyring without a password says that it is locked until a client
// calls Unlock, which it then does without a prompt. Unlock itself shows no window; only
// Prompt does, which is never called.
func (s *service) state(ctx context.Context) (words.KeychainState, error) {
	locked, err := s.locked(ctx)
	if err != nil {
		return "", err
	}
	if !locked {
		return words.KeychainUnlocked, nil
	}
	var unlocked []dbus.ObjectPath
	var prompt dbus.ObjectPath
	call := s.call(ctx, secretsPath, serviceIface+".Unlock", []dbus.ObjectPath{s.collection})
	if err := call.Store(&unlocked, &prompt); err != nil {
		return "", err
	}
	if prompt != noPath {
		s.dismiss(ctx, prompt)
		return words.KeychainLocked, nil
	}
	if locked, err = s.locked(ctx); err != nil {
		return "", err
	}
	if locked {
		return words.KeychainLocked, nil
	}
	return words.KeychainUnlocked, nil
}

func (s *service) locked(ctx context.Context) (locked bool, err error) {
	err = s.property(ctx, s.collection, collectionIface, "Locked", &locked)
	return locked, err
}

// dismiss tells the provider that its prompt will not be shown. Its answer does not matter: a
// prompt stays hidden until a client calls Prompt.
func (s *service) dismiss(ctx context.Context, prompt dbus.ObjectPath) {
	_ = s.call(ctx, prompt, promptIface+".Dismiss").Err
}
