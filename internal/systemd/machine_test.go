package systemd_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestThePackagesUnitIsFoundWhereverADistributionPutsIt(t *testing.T) {
	t.Parallel()
	if (systemd.Machine{Root: t.TempDir()}).Installed() {
		t.Error("a unit out of nowhere")
	}
	for _, dir := range []string{"usr/lib", "lib", "usr/local/lib", "etc"} {
		m := systemd.Machine{Root: t.TempDir()}
		write(t, filepath.Join(m.Root, dir, "systemd/system/agentkeys-daemon@.service"), "")
		if !m.Installed() {
			t.Errorf("not found in %s", dir)
		}
	}
}

func TestTheUnitForLoginSessionsIsFound(t *testing.T) {
	t.Parallel()
	m := systemd.Machine{Root: t.TempDir()}
	write(t, filepath.Join(m.Root, "usr/lib/systemd/system/agentkeys-daemon@.service"), "")
	if m.UserInstalled() {
		t.Error("the machine's unit was taken for it")
	}
	write(t, filepath.Join(m.Root, "usr/lib/systemd/user/agentkeys-daemon@.service"), "")
	if !m.UserInstalled() {
		t.Error("not found")
	}
}

func TestRunningLingeringEnabled(t *testing.T) {
	t.Parallel()
	m, w := systemd.Machine{Root: t.TempDir()}, wallet.New()
	if m.Running() || m.Lingers("pi") || m.Lingers("") || m.Enabled(w) {
		t.Error("an empty machine has all of it")
	}
	write(t, filepath.Join(m.Root, "run/systemd/system/x"), "")
	write(t, filepath.Join(m.Root, "var/lib/systemd/linger/pi"), "")
	write(t, filepath.Join(m.Root, "etc/systemd/system/multi-user.target.wants", systemd.Unit(w)), "")
	if !m.Running() || !m.Lingers("pi") || m.Lingers("") || !m.Enabled(w) || m.Enabled(wallet.New()) {
		t.Error("not found")
	}
}

func TestASecretServiceIsKnownByItsProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		process, uid string
		bus          bool
		want         bool
	}{
		"gnome-keyring of the user":    {"gnome-keyring-d", "1000", true, true},
		"kwallet of the user":          {"kwalletd6", "1000", true, true},
		"of another user":              {"gnome-keyring-d", "1001", true, false},
		"without a session bus":        {"gnome-keyring-d", "1000", false, false},
		"a desktop without a keyring":  {"wayfire", "1000", true, false},
		"a name that only begins so":   {"gnome-keyring-x", "1000", true, false},
		"a number that only begins so": {"gnome-keyring-d", "10001", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := os.MkdirTemp("", "sd") // short: it holds a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(root) })
			write(t, filepath.Join(root, "proc/4711/status"), "Name:\t"+c.process+"\nUmask:\t0022\nUid:\t"+c.uid+"\t0\t0\t0\n")
			write(t, filepath.Join(root, "run/user/1000/x"), "")
			if c.bus {
				l, err := net.Listen("unix", filepath.Join(root, "run/user/1000/bus"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = l.Close() }()
			}
			if got := (systemd.Machine{Root: root}).HasKeyring(1000); got != c.want {
				t.Error(got)
			}
		})
	}
}
