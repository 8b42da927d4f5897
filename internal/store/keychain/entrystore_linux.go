package keychain

import (
	"context"
	"errors"
	"fmt"
	"maps"

	dbus "github.com/godbus/dbus/v5"
	ss "github.com/zalando/go-keyring/secret_service"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// maxEntries bounds a delete that finds an entry each time.
const maxEntries = 64

// schemaAttribute is libsecret's type of an entry. Some programs set it and some do not; the
// entry is the same.
const schemaAttribute = "xdg:schema"

// secretServiceStore is the Secret Service in the child. It sends what go-keyring sends (the
// same attributes, label and plain session), so that each reads the other's entries. Only
// prompts differ: go-keyring completes a prompt, and here none is ever completed.
type secretServiceStore struct{ bus secretService }

func openEntryStore(getenv func(string) string) entryStore {
	return secretServiceStore{secretService{getenv: getenv}}
}

func (v secretServiceStore) get(account string) (value []byte, err error) {
	err = v.with(words.KeychainState.Readable, func(ctx context.Context, s *service) error {
		found, err := s.search(ctx, account)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return store.ErrKeychainAbsent
		}
		value, err = s.read(ctx, found[0])
		return err
	})
	return value, err
}

func (v secretServiceStore) put(account, value string) error {
	return v.with(words.KeychainState.Writable, func(ctx context.Context, s *service) error {
		return s.write(ctx, account, value)
	})
}

func (v secretServiceStore) delete(account string) error {
	return v.with(words.KeychainState.Writable, func(ctx context.Context, s *service) error { return s.remove(ctx, account) })
}

// with runs do when the state allows it. It needs no deadline: the parent kills the child.
func (v secretServiceStore) with(allowed func(words.KeychainState) bool, do func(context.Context, *service) error) error {
	ctx := context.Background()
	conn, _, err := v.bus.dial(ctx, noSignals{})
	if err != nil {
		return entryError(err)
	}
	defer func() { _ = conn.Close() }()
	probe, s := inspect(ctx, conn)
	if !allowed(probe.State) {
		return &store.UnavailableError{State: probe.State, Reason: probe.Reason}
	}
	return entryError(do(ctx, s))
}

// entryError translates an error of the bus into the state that it means.
func entryError(err error) error {
	var unavailable *store.UnavailableError
	switch {
	case err == nil, errors.Is(err, store.ErrKeychainAbsent), errors.As(err, &unavailable):
		return err
	}
	state, reason := explain(err)
	return &store.UnavailableError{State: state, Reason: reason}
}

// attributesOf are the attributes of an entry that this program writes.
func attributesOf(account string) map[string]string {
	return map[string]string{"service": serviceName, "username": account}
}

// search asks the collection, because the service's own SearchItems opens windows in
// KeePassXC. The provider finds every entry that has at least these attributes; those with
// others too belong to other programs and are left out.
func (s *service) search(ctx context.Context, account string) (ours []dbus.ObjectPath, err error) {
	want := attributesOf(account)
	var paths []dbus.ObjectPath
	if err := s.call(ctx, s.collection, collectionIface+".SearchItems", want).Store(&paths); err != nil {
		return nil, err
	}
	for _, path := range paths {
		var attributes map[string]string
		if err := s.property(ctx, path, itemIface, "Attributes", &attributes); err != nil {
			return nil, err
		}
		s.dropProviderAttributes(attributes)
		if maps.Equal(attributes, want) {
			ours = append(ours, path)
		}
	}
	return ours, nil
}

// dropProviderAttributes removes from an entry's attributes what the provider adds by itself.
func (s *service) dropProviderAttributes(attributes map[string]string) {
	delete(attributes, schemaAttribute)
	if s.provider != words.ProviderKeePassXC {
		return
	}
	for _, name := range []string{"Notes", "Path", "Title", "URL", "UserName", "Uuid"} {
		delete(attributes, name)
	}
}

// openSession opens a session without encryption ("plain"): the bus is a socket of this user.
func (s *service) openSession(ctx context.Context) (session dbus.ObjectPath, err error) {
	var nothing dbus.Variant
	err = s.call(ctx, secretsPath, serviceIface+".OpenSession", "plain", dbus.MakeVariant("")).Store(&nothing, &session)
	return session, err
}

func (s *service) read(ctx context.Context, item dbus.ObjectPath) ([]byte, error) {
	// An entry can be locked in an open collection: KeePassXC may ask a person for each.
	var locked bool
	if err := s.property(ctx, item, itemIface, "Locked", &locked); err != nil {
		return nil, err
	}
	if locked {
		return nil, &store.UnavailableError{State: words.KeychainLocked, Reason: "the keyring wants to ask a person before it shows the entry"}
	}
	session, err := s.openSession(ctx)
	if err != nil {
		return nil, err
	}
	var secret ss.Secret
	err = s.call(ctx, item, itemIface+".GetSecret", session).Store(&secret)
	return secret.Value, err
}

// write replaces the entry with exactly these attributes, or makes it.
func (s *service) write(ctx context.Context, account, value string) error {
	session, err := s.openSession(ctx)
	if err != nil {
		return err
	}
	properties := map[string]dbus.Variant{
		itemIface + ".Label":      dbus.MakeVariant(fmt.Sprintf("Password for '%s' on '%s'", account, serviceName)),
		itemIface + ".Attributes": dbus.MakeVariant(attributesOf(account)),
	}
	var item, prompt dbus.ObjectPath
	call := s.call(ctx, s.collection, collectionIface+".CreateItem", properties, ss.NewSecret(session, value), true)
	if err := call.Store(&item, &prompt); err != nil {
		return err
	}
	return s.decline(ctx, prompt)
}

// decline dismisses the prompt that a change needs, and returns what that means.
func (s *service) decline(ctx context.Context, prompt dbus.ObjectPath) error {
	if prompt == noPath {
		return nil
	}
	s.dismiss(ctx, prompt)
	return &store.UnavailableError{State: words.KeychainPromptsOnWrite, Reason: "the keyring wants to ask before it changes an entry"}
}

// remove deletes until a search finds no entry with exactly our attributes.
func (s *service) remove(ctx context.Context, account string) error {
	for range maxEntries {
		found, err := s.search(ctx, account)
		if err != nil || len(found) == 0 {
			return err
		}
		var prompt dbus.ObjectPath
		if err := s.call(ctx, found[0], itemIface+".Delete").Store(&prompt); err != nil {
			return err
		}
		if err := s.decline(ctx, prompt); err != nil {
			return err
		}
	}
	return errRefused
}
