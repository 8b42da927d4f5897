package keychain

import (
	"context"
	"errors"
	"maps"

	dbus "github.com/godbus/dbus/v5"
	keyring "github.com/zalando/go-keyring"
	ss "github.com/zalando/go-keyring/secret_service"

	"github.com/agentkeys/agentkeys/internal/store"
)

// maxEntries bounds a delete that never runs out of entries.
const maxEntries = 64

// schemaAttribute is libsecret's type label; programs differ in setting it, and it
// does not make another entry.
const schemaAttribute = "xdg:schema"

// secretVault lives in the child. Before go-keyring, which prompts for whatever is
// locked, it looks for itself and stops where a prompt would come.
type secretVault struct{ bus secretService }

func openVault(getenv func(string) string) vault {
	return secretVault{secretService{getenv: getenv}}
}

func (v secretVault) get(account string) (value []byte, err error) {
	err = v.with(store.KeychainState.Readable, func(ctx context.Context, s *service) error {
		found, err := s.search(ctx, account)
		if err != nil {
			return err
		}
		value, err = s.read(ctx, account, found)
		return err
	})
	return value, err
}

func (v secretVault) put(account, value string) error {
	return v.with(store.KeychainState.Writable, func(context.Context, *service) error {
		return keyring.Set(serviceName, account, value)
	})
}

func (v secretVault) delete(account string) error {
	return v.with(store.KeychainState.Writable, func(ctx context.Context, s *service) error { return s.remove(ctx, account) })
}

// with runs do when the state allows it; the child has no deadline of its own here.
func (v secretVault) with(allowed func(store.KeychainState) bool, do func(context.Context, *service) error) error {
	ctx := context.Background()
	conn, _, err := v.bus.dial(ctx, noSignals{})
	if err != nil {
		return vaultError(err)
	}
	defer func() { _ = conn.Close() }()
	probe, s := inspect(ctx, conn)
	if !allowed(probe.State) {
		return &store.UnavailableError{State: probe.State, Reason: probe.Reason}
	}
	return vaultError(do(ctx, s))
}

// vaultError: a D-Bus error is a state only where it says more than that the
// provider refused.
func vaultError(err error) error {
	var unavailable *store.UnavailableError
	switch {
	case err == nil, errors.Is(err, store.ErrKeychainAbsent), errors.As(err, &unavailable):
		return err
	case errors.Is(err, keyring.ErrNotFound):
		return store.ErrKeychainAbsent
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return store.ErrTooBig
	}
	state, reason := explain(err)
	return &store.UnavailableError{State: state, Reason: reason}
}

// matches is what a search of the collection found for one account.
type matches struct {
	exact  []dbus.ObjectPath // exactly our attributes
	shaded bool              // the first match, which go-keyring would take, is another program's
}

// search asks the collection; the service's own SearchItems opens windows in
// KeePassXC. A search matches every entry that has at least these attributes.
func (s *service) search(ctx context.Context, account string) (matches, error) {
	want := map[string]string{"service": serviceName, "username": account}
	var paths []dbus.ObjectPath
	if err := s.call(ctx, s.collection, collectionIface+".SearchItems", want).Store(&paths); err != nil {
		return matches{}, err
	}
	var found matches
	for i, path := range paths {
		var attributes map[string]string
		if err := s.property(ctx, path, itemIface, "Attributes", &attributes); err != nil {
			return matches{}, err
		}
		s.forgetOwn(attributes)
		if maps.Equal(attributes, want) {
			found.exact = append(found.exact, path)
		} else if i == 0 {
			found.shaded = true
		}
	}
	return found, nil
}

// forgetOwn takes out of an entry's attributes what the provider adds by itself.
func (s *service) forgetOwn(attributes map[string]string) {
	delete(attributes, schemaAttribute)
	if s.provider != providerKeePassXC {
		return
	}
	for _, name := range []string{"Notes", "Path", "Title", "URL", "UserName", "Uuid"} {
		delete(attributes, name)
	}
}

// read goes through go-keyring, by its front door unless that would give another
// program's entry.
func (s *service) read(ctx context.Context, account string, found matches) ([]byte, error) {
	if len(found.exact) == 0 {
		return nil, store.ErrKeychainAbsent
	}
	// An entry may be locked alone: KeePassXC asks a person for each, and go-keyring
	// would let it.
	var locked bool
	if err := s.property(ctx, found.exact[0], itemIface, "Locked", &locked); err != nil {
		return nil, err
	}
	if locked {
		return nil, &store.UnavailableError{State: store.StateLocked, Reason: "the keyring wants to ask a person before it shows the entry"}
	}
	if found.shaded {
		return readItem(found.exact[0])
	}
	value, err := keyring.Get(serviceName, account)
	return []byte(value), err
}

func readItem(path dbus.ObjectPath) ([]byte, error) {
	svc, err := ss.NewSecretService()
	if err != nil {
		return nil, err
	}
	session, err := svc.OpenSession()
	if err != nil {
		return nil, err
	}
	secret, err := svc.GetSecret(path, session.Path())
	if err != nil {
		return nil, err
	}
	return secret.Value, nil
}

// remove deletes until a search shows no entry of ours. go-keyring's Delete takes
// the first match only, whoever's it is.
func (s *service) remove(ctx context.Context, account string) error {
	for range maxEntries {
		found, err := s.search(ctx, account)
		if err != nil || len(found.exact) == 0 {
			return err
		}
		var prompt dbus.ObjectPath
		if err := s.call(ctx, found.exact[0], itemIface+".Delete").Store(&prompt); err != nil {
			return err
		}
		if prompt != noPath {
			s.dismiss(ctx, prompt)
			return &store.UnavailableError{State: store.StatePromptsOnWrite, Reason: "the keyring wants to ask before it deletes"}
		}
	}
	return errRefused
}
