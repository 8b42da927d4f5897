package keychain_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/store/keychain"
)

func TestTheBusIsTheVariablesOrTheRuntimeDirectorysAndNoOther(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env  []string
		want []string // socket, address, ...
	}{
		"a path":          {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus"}, []string{"/run/user/1000/bus", "unix:path=/run/user/1000/bus"}},
		"with a guid":     {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/b,guid=00ff"}, []string{"/tmp/b", "unix:path=/tmp/b"}},
		"an abstract one": {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:guid=0,abstract=/tmp/dbus-x"}, []string{"@/tmp/dbus-x", "unix:abstract=/tmp/dbus-x"}},
		"escaped":         {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/a%20b%3b"}, []string{"/tmp/a b;", "unix:path=/tmp/a%20b%3b"}},
		"a list": {[]string{"DBUS_SESSION_BUS_ADDRESS=tcp:host=x;unix:path=/a;unixexec:path=/bin/sh;unix:path=/b"},
			[]string{"/a", "unix:path=/a", "/b", "unix:path=/b"}},
		"the runtime directory":        {[]string{"XDG_RUNTIME_DIR=/run/user/7"}, []string{"/run/user/7/bus", "unix:path=/run/user/7/bus"}},
		"a relative runtime directory": {[]string{"XDG_RUNTIME_DIR=run"}, nil},
		"the variable wins":            {[]string{"DBUS_SESSION_BUS_ADDRESS=autolaunch:", "XDG_RUNTIME_DIR=/run/user/7"}, nil},
		"tcp":                          {[]string{"DBUS_SESSION_BUS_ADDRESS=tcp:host=localhost,port=1"}, nil},
		"a broken escape":              {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/a%2"}, nil},
		"a relative path":              {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=bus"}, nil},
		"nothing":                      {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := keychain.Endpoints(lookup(tt.env))
			if (err != nil) != (tt.want == nil) {
				t.Errorf("error %v", err)
			}
			var got []string
			for _, e := range found {
				got = append(got, e.Socket(), e.Address())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What the child is given leads to the socket that the probe used.
func FuzzParseAddresses(f *testing.F) {
	for _, seed := range []string{"unix:path=/a", "unix:abstract=a%20", ";;unix:", "unix:path=%", "autolaunch:;unix:path=/x,guid=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, err := keychain.ParseAddresses(text)
		if (err != nil) != (len(found) == 0) {
			t.Fatalf("%d found, %v", len(found), err)
		}
		for _, e := range found {
			again, err := keychain.ParseAddresses(e.Address())
			if err != nil || len(again) != 1 || again[0] != e {
				t.Fatalf("%q became %v, %v", e, again, err)
			}
			if strings.ContainsRune(e.Socket(), 0) || e.Socket() == "" {
				t.Fatalf("socket %q", e.Socket())
			}
		}
	})
}
