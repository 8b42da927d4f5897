package checkup_test

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/doctor/checkup"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const text = "0x00112233445566778899aabbccddeeff00112233"

func name(t *testing.T) session.ID {
	t.Helper()
	w, err := wallet.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return session.DaemonID(w)
}

// host is a machine in a directory: the system's files below root, the user's in home.
type host struct {
	t          *testing.T
	root, home string
	env        map[string]string
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, root: t.TempDir(), home: t.TempDir()}
	h.env = map[string]string{
		"HOME": h.home, "AGENTKEYS_HOME": filepath.Join(h.home, "k"), "AGENTKEYS_SESSION_STORE": "file",
		"AGENTKEYS_CONFIG_DIR": filepath.Join(h.root, "etc"),
	}
	return h
}

func (h *host) write(path, content string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// link is what `systemctl enable` makes; its target need not be here.
func (h *host) link(path string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink("/usr/lib/systemd/x", path); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) reports(id session.ID) []doctor.Report {
	h.t.Helper()
	cfg := checkup.Config{Getenv: func(k string) string { return h.env[k] }, Root: h.root, Owner: true}
	reports, err := checkup.Reports(context.Background(), cfg, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return reports
}

func (h *host) check(id session.ID, name string) doctor.Check {
	h.t.Helper()
	reports := h.reports(id)
	for _, c := range reports[0].Checks {
		if c.Name == name {
			return c
		}
	}
	h.t.Fatalf("no check %s: %+v", name, reports)
	return doctor.Check{}
}

func TestUnitsAreFoundByTheirLinks(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	const unit = "agentkeys-daemon@" + text + ".service"
	for title, tt := range map[string]struct {
		system []string // below root
		user   []string // below home
		status doctor.Status
	}{
		"not enabled":                        {nil, nil, doctor.Warn},
		"by a target of every boot":          {[]string{"etc/systemd/system/multi-user.target.wants/" + unit}, nil, doctor.OK},
		"by our target, which is wanted":     {[]string{"etc/systemd/system/agentkeys-daemon.target.wants/" + unit, "usr/lib/systemd/system/multi-user.target.wants/agentkeys-daemon.target"}, nil, doctor.OK},
		"by our target, which nobody wants":  {[]string{"etc/systemd/system/agentkeys-daemon.target.wants/" + unit}, nil, doctor.Warn},
		"targets that want each other":       {[]string{"etc/systemd/system/a.target.wants/" + unit, "etc/systemd/system/a.target.wants/b.target", "etc/systemd/system/b.target.wants/a.target"}, nil, doctor.Warn},
		"for another wallet":                 {[]string{"etc/systemd/system/multi-user.target.wants/agentkeys-daemon@0xff.service"}, nil, doctor.Warn},
		"for the user, without lingering":    {nil, []string{".config/systemd/user/default.target.wants/" + unit}, doctor.Warn},
		"for the user, who lingers":          {[]string{"var/lib/systemd/linger/" + me.Username}, []string{".config/systemd/user/default.target.wants/" + unit}, doctor.OK},
		"lingering alone starts no instance": {[]string{"var/lib/systemd/linger/" + me.Username}, nil, doctor.Warn},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.write(filepath.Join(h.root, "run", "systemd", "system", "x"), "")
			h.write(filepath.Join(h.root, "lib", "systemd", "system", "agentkeys-daemon@.service"), "")
			for _, path := range tt.system {
				h.link(filepath.Join(h.root, path))
			}
			for _, path := range tt.user {
				h.link(filepath.Join(h.home, path))
			}
			if c := h.check(name(t), "start_at_boot"); c.Status != tt.status {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestWithoutSystemdNothingIsClaimed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.link(filepath.Join(h.root, "etc/systemd/system/multi-user.target.wants/agentkeys-daemon@"+text+".service"))
	if c := h.check(name(t), "start_at_boot"); c.Status != doctor.Warn {
		t.Errorf("%+v", c)
	}
}

// The decisions know the states of keychains by their spelling.
func TestEveryStateOfAKeychainHasAVerdict(t *testing.T) {
	t.Parallel()
	for _, state := range words.KeychainStates() {
		f := doctor.Facts{
			Wallet: text, SessionID: "daemon-" + text, Keychain: doctor.Keychain{State: state},
			Slot: &doctor.Slot{Saved: true, Where: words.BackendKeychain},
		}
		for _, c := range doctor.Examine(f).Checks {
			if c.Name == "keychain" && (c.Status != doctor.Fail) != state.Readable() {
				t.Errorf("%s: %+v", state, c)
			}
		}
	}
}

func TestAMachineWithoutSlotsHasOneReport(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	reports := h.reports(session.ID{})
	if len(reports) != 1 || reports[0].SessionID != "" || reports[0].Worst == doctor.Fail {
		t.Errorf("%+v", reports)
	}
	if entries, err := os.ReadDir(h.home); err != nil || len(entries) != 0 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
}

func TestAnInsecureHomeIsNamed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	home := h.env["AGENTKEYS_HOME"]
	h.write(filepath.Join(home, "daemon-"+text, "x"), "")
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, id := range []session.ID{{}, name(t)} {
		if c := h.check(id, "permissions"); c.Status != doctor.Fail || c.Hint != "chmod go-w "+home {
			t.Errorf("%q: %+v", id, c)
		}
	}
}

func TestSettingsThatAreNotUnderstoodLookAtNoKeychain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.env["AGENTKEYS_SESSION_STORE"] = ""
	h.write(filepath.Join(h.root, "etc", "daemon.toml"), "borker = \"x\"\nlog_level = \"loud\"\n")
	if c := h.check(name(t), "settings"); c.Status != doctor.Fail {
		t.Errorf("%+v", c)
	}
	for _, c := range h.reports(name(t))[0].Checks {
		if c.Name == "keychain" || c.Name == "broker" {
			t.Errorf("a line of its own for what follows from the settings: %+v", c)
		}
	}
}
