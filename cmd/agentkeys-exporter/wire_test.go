package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/exporter"
	"github.com/agentkeys/agentkeys/internal/systemd/manager"
	"github.com/agentkeys/agentkeys/internal/systemd/systemdtest"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	loaded = "agentkeys-daemon@0x00000000000000000000000000000000000000aa.service"
	linked = "agentkeys-daemon@0x00000000000000000000000000000000000000bb.service"
)

// The address of the bus is a variable of the process, so this test does not run in parallel.
func TestUnitsThatAreLoadedAndThatStartAtBoot(t *testing.T) {
	s := systemdtest.Start(t, "done", "")
	s.Load("pi", loaded, "agentkeys-daemon@hermes.service", "ssh.service")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", s.Address)
	dir := t.TempDir()
	wants := filepath.Join(dir, "multi-user.target.wants")
	if err := os.Mkdir(wants, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{loaded, linked, "agentkeys-daemon@0xAA.service"} {
		if err := os.Symlink("/usr/lib/systemd/system/agentkeys-daemon@.service", filepath.Join(wants, unit)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := manager.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	found := map[wallet.Wallet]exporter.Instance{}
	if err := noteUnits(t.Context(), m, dir, found); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range found {
		got[i.Unit] = i.User
	}
	if diff := cmp.Diff(map[string]string{loaded: "pi", linked: "pi"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	const w = "0x00000000000000000000000000000000000000aa"
	for text, want := range map[string]string{
		w + " hermes\n":                        "hermes",
		"# agents\n\n  " + w + "   hermes  \n": "hermes",
		w + " Hermes\n":                        "",
		w + "\n":                               "",
		"hermes\n":                             "",
		w + " a b\n":                           "",
	} {
		path := filepath.Join(t.TempDir(), "aliases")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readAliases(path)
		if (err != nil) != (want == "") {
			t.Errorf("%q: %v", text, err)
		}
		for _, alias := range got {
			if alias != want {
				t.Errorf("%q: %q", text, alias)
			}
		}
	}
	if _, err := readAliases(filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("a file that is not there is no error")
	}
}
