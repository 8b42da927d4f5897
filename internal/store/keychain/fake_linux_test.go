package keychain_test

import (
	"maps"
	"sync"
	"testing"

	dbus "github.com/godbus/dbus/v5"
	ss "github.com/zalando/go-keyring/secret_service"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

const (
	fakeService    = dbus.ObjectPath("/org/freedesktop/secrets")
	fakeLogin      = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	fakeSession    = dbus.ObjectPath("/org/freedesktop/secrets/collection/session")
	fakeOther      = dbus.ObjectPath("/org/freedesktop/secrets/collection/other")
	fakePrompt     = dbus.ObjectPath("/org/freedesktop/secrets/prompt/p1")
	serviceIface   = "org.freedesktop.Secret.Service"
	collectionName = "org.freedesktop.Secret.Collection"
	itemName       = "org.freedesktop.Secret.Item"
	propertiesName = "org.freedesktop.DBus.Properties"
)

// fakeSecrets is a Secret Service on a private bus that answers as it is told. A
// prompt that is ever asked for fails the test.
type fakeSecrets struct {
	t       *testing.T
	address string
	conn    *dbus.Conn

	mu          sync.Mutex
	collections any // the property, of any type; nil = an error
	alias       dbus.ObjectPath
	locked      bool
	unlock      func(f *fakeSecrets) (prompt dbus.ObjectPath, err *dbus.Error)
	refuse      *dbus.Error // the answer to everything
	onDelete    dbus.ObjectPath
	onCreate    func() (item, prompt dbus.ObjectPath) // nil = "/", "/": a write that is dropped
	itemLocked  bool
	items       map[dbus.ObjectPath]map[string]string
	dismissed   int
}

// startFake answers as an unlocked login collection would, and owns names besides
// the Secret Service's.
func startFake(t *testing.T, address string, names ...string) *fakeSecrets {
	t.Helper()
	f := &fakeSecrets{
		t: t, address: address, conn: keyringtest.Connect(t, address),
		collections: []dbus.ObjectPath{fakeLogin}, alias: fakeLogin, onDelete: "/",
		items: map[dbus.ObjectPath]map[string]string{},
	}
	f.export(fakeService, serviceIface, map[string]any{
		"ReadAlias": func(string) (dbus.ObjectPath, *dbus.Error) {
			defer f.lock()()
			return f.alias, f.refuse
		},
		"Unlock": f.doUnlock,
		"OpenSession": func(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
			return dbus.MakeVariant(""), fakeService + "/session/s1", nil
		},
		"SearchItems": func(map[string]string) ([]dbus.ObjectPath, []dbus.ObjectPath, *dbus.Error) {
			t.Error("Service.SearchItems was called")
			return nil, nil, nil
		},
	})
	f.export(fakeService, propertiesName, map[string]any{"Get": f.property})
	for _, path := range []dbus.ObjectPath{fakeLogin, fakeOther} {
		f.export(path, propertiesName, map[string]any{"Get": f.property})
		f.export(path, collectionName, map[string]any{"SearchItems": f.search, "CreateItem": f.create})
	}
	f.export(fakePrompt, "org.freedesktop.Secret.Prompt", map[string]any{
		"Prompt": func(string) *dbus.Error { t.Error("Prompt was called"); return nil },
		"Dismiss": func() *dbus.Error {
			defer f.lock()()
			f.dismissed++
			return nil
		},
	})
	for _, name := range append(names, "org.freedesktop.secrets") {
		if _, err := f.conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *fakeSecrets) export(path dbus.ObjectPath, iface string, methods map[string]any) {
	f.t.Helper()
	if err := f.conn.ExportMethodTable(methods, path, iface); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeSecrets) lock() func() {
	f.mu.Lock()
	return f.mu.Unlock
}

// addItem puts an entry with these attributes into the collection.
func (f *fakeSecrets) addItem(path dbus.ObjectPath, attributes map[string]string) {
	defer f.lock()()
	f.items[path] = attributes
	f.export(path, itemName, map[string]any{"Delete": func() (dbus.ObjectPath, *dbus.Error) {
		defer f.lock()()
		if f.onDelete == "/" {
			delete(f.items, path)
		}
		return f.onDelete, nil
	}})
	f.export(path, propertiesName, map[string]any{"Get": func(_, name string) (dbus.Variant, *dbus.Error) {
		if name == "Locked" {
			defer f.lock()()
			return dbus.MakeVariant(f.itemLocked), nil
		}
		return dbus.MakeVariant(attributes), nil
	}})
}

func (f *fakeSecrets) create(map[string]dbus.Variant, ss.Secret, bool) (item, prompt dbus.ObjectPath, _ *dbus.Error) {
	f.mu.Lock()
	answer := f.onCreate
	f.mu.Unlock()
	if answer == nil {
		return "/", "/", nil
	}
	item, prompt = answer() // may take its time
	return item, prompt, nil
}

func (f *fakeSecrets) search(want map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	defer f.lock()()
	found := []dbus.ObjectPath{}
	for path, attributes := range f.items {
		merged := maps.Clone(attributes)
		maps.Copy(merged, want)
		if maps.Equal(merged, attributes) {
			found = append(found, path)
		}
	}
	return found, nil
}

func (f *fakeSecrets) doUnlock([]dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	defer f.lock()()
	switch {
	case !f.locked:
		return []dbus.ObjectPath{}, "/", nil
	case f.unlock == nil:
		return nil, fakePrompt, nil
	}
	prompt, err := f.unlock(f)
	return []dbus.ObjectPath{}, prompt, err
}

func (f *fakeSecrets) property(iface, name string) (dbus.Variant, *dbus.Error) {
	defer f.lock()()
	switch {
	case f.refuse != nil:
		return dbus.Variant{}, f.refuse
	case iface == serviceIface && name == "Collections" && f.collections != nil:
		return dbus.MakeVariant(f.collections), nil
	case iface == collectionName && name == "Locked":
		return dbus.MakeVariant(f.locked), nil
	}
	return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
}
