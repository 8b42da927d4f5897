package checkup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestTheDropInOfADesktopUserIsFound(t *testing.T) {
	t.Parallel()
	w, err := wallet.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for title, tt := range map[string]struct {
		write  func(t *testing.T, m systemd.Machine)
		status doctor.Status
		says   string
	}{
		"ours": {func(t *testing.T, m systemd.Machine) {
			t.Helper()
			if _, err := m.WriteDropIn(w, systemd.User{Name: "pi", Group: "pi", UID: 1000, GID: 1000}); err != nil {
				t.Fatal(err)
			}
		}, doctor.OK, "pi, by the drop-in of pair --run-as"},
		"a person's": {func(t *testing.T, m systemd.Machine) {
			t.Helper()
			if err := os.MkdirAll(filepath.Dir(m.DropInPath(w)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(m.DropInPath(w), []byte("[Service]\nUser=pi\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, doctor.Warn, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.write(filepath.Join(h.root, "run", "systemd", "system", "x"), "")
			h.write(filepath.Join(h.root, "etc", "systemd", "system", "x"), "")
			tt.write(t, systemd.Machine{Root: h.root})
			if c := h.check(name(t), "runs_as"); c.Status != tt.status || tt.says != "" && c.Message != tt.says {
				t.Errorf("%+v", c)
			}
		})
	}
}
