package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

var settingPattern = regexp.MustCompile(`(?m)^(\[?\w+)`)

// Whatever a directory service calls users and groups, the drop-in has the settings of an
// ordinary one, in the same order.
func FuzzDropIn(f *testing.F) {
	f.Add("pi", "pi", 1000, 1000)
	f.Add("x\nExecStartPre=/bin/sh", "%H", 0, -1)
	w := wallet.New()
	write := func(t testing.TB, u systemd.User) (text string, settings []string) {
		t.Helper()
		m := systemd.Machine{Root: t.TempDir()}
		if err := os.MkdirAll(filepath.Join(m.Root, "etc/systemd/system"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WriteDropIn(w, u); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(m.DropInPath(w))
		if err != nil {
			t.Fatal(err)
		}
		return string(data), settingPattern.FindAllString(string(data), -1)
	}
	_, want := write(f, systemd.User{Name: "pi", Group: "pi", UID: 1000, GID: 1000})
	f.Fuzz(func(t *testing.T, name, group string, uid, gid int) {
		text, got := write(t, systemd.User{Name: name, Group: group, UID: uid, GID: gid})
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%q %q: %s", name, group, text)
		}
	})
}
