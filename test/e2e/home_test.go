package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// unfit is a home on a file system in which no directory can be made.
const unfit = "/dev/pts/agentkeys"

// Nothing is committed elsewhere for a session that this machine could not keep: no
// account, and no request to an owner.
func TestAHomeThatCannotKeepASessionIsRefusedFirst(t *testing.T) {
	t.Parallel()
	needs.Paths(t, filepath.Dir(unfit))
	b := startBroker(t)
	m := newMachine(t)
	bad := m.with("AGENTKEYS_BROKER", b.url, "AGENTKEYS_HOME", unfit)
	refused := func(program string, args ...string) {
		t.Helper()
		r := bad.run("", program, args...)
		if r.code != exitFault || strings.Contains(r.stdout, "pair_code") || !strings.Contains(r.stderr, filepath.Dir(unfit)) {
			t.Errorf("%s %v: exit %d\n%s%s", program, args, r.code, r.stdout, r.stderr)
		}
		if os.Geteuid() == 0 && !strings.Contains(r.stderr, "export AGENTKEYS_HOME=") {
			t.Errorf("%s %v has no hint: %s", program, args, r.stderr)
		}
	}
	token := filepath.Join(b.data, "setup-token")
	refused("agentkeys", "init", "--setup-token-file", token)
	o := initOwner(m, b) // so the token was not used
	refused("agentkeys-daemon", "pair", "--broker", b.url, "--json")
	refused("agentkeys-daemon", "run", "--pair", "--broker", b.url, "--json")
	wallet := o.adopt(newMachine(t), "bot", "none")
	refused("agentkeys-daemon", "recover", wallet, "--broker", b.url, "--json")
	if got := o.agentCount(); got != 1 {
		t.Errorf("%d agents", got)
	}
}

// What root makes where AGENTKEYS_HOME says so belongs to the user whose directory it is.
func TestRootLeavesNothingOfItsOwnInAUsersDirectory(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	b := startBroker(t)
	o := newOwner(t, b)
	m := newMachine(t)
	home := filepath.Join(m.dir, "pi")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	const uid, gid = 54321, 54322
	if err := os.Chown(home, uid, gid); err != nil {
		t.Fatal(err)
	}
	slots := filepath.Join(home, "new", ".agentkeys")
	o.adopt(m.with("AGENTKEYS_HOME", slots), "bot", "none")
	for _, path := range append(pathsBelow(t, home), slots) {
		if info := owns(t, path); info != fmt.Sprintf("%d:%d", uid, gid) {
			t.Errorf("%s belongs to %s", path, info)
		}
	}
}

// sudo that keeps HOME: root would lock the user out of what it makes there.
func TestRootIsRefusedInAHomeThatSudoKept(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	needs.Absent(t, "/var/lib/agentkeys", "with the package root has a home of its own")
	b := startBroker(t)
	m := newMachine(t)
	home := filepath.Join(m.dir, "pi")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, 54321, 54322); err != nil {
		t.Fatal(err)
	}
	sudo := m.with("AGENTKEYS_HOME", "", "HOME", home, "SUDO_UID", "54321", "AGENTKEYS_BROKER", b.url)
	for _, args := range [][]string{
		{"agentkeys", "init", "--setup-token-file", filepath.Join(b.data, "setup-token")},
		{"agentkeys", "agents"},
		{"agentkeys-daemon", "pair", "--broker", b.url},
		{"agentkeys-daemon", "recover", "bot", "--broker", b.url},
		{"agentkeys-daemon", "run", "--pair", "--broker", b.url},
	} {
		r := sudo.run("", args[0], args[1:]...)
		if r.code != exitUsage || !strings.Contains(r.stderr, "hint: "+strings.Join(args, " ")) {
			t.Errorf("%v: exit %d, %s", args, r.code, r.stderr)
		}
	}
	if left := pathsBelow(t, home); len(left) > 0 {
		t.Errorf("left in the home: %v", left)
	}
}

// Root's broker leaves nothing in another user's directory, with SUDO_UID or without.
func TestRootsBrokerLeavesNothingInAnothersHome(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	m := newMachine(t)
	home, own := filepath.Join(m.dir, "pi"), filepath.Join(m.dir, "own")
	if err := errors.Join(os.Mkdir(home, 0o755), os.Chown(home, 54321, 54322)); err != nil {
		t.Fatal(err)
	}
	if r := m.run("", "agentkeys-broker", "setup-token", "--data", own); r.code != 0 {
		t.Fatal(r.stderr)
	}
	backup := filepath.Join(m.dir, "b.bak")
	if r := m.run("", "agentkeys-broker", "backup", backup, "--data", own); r.code != 0 {
		t.Fatalf("a backup in root's own: %s", r.stderr)
	}
	data := filepath.Join(home, "not", "there")
	for _, args := range [][]string{
		{"serve", "--data", data, "--listen", "127.0.0.1:0"},
		{"restore", backup, "--data", data},
		{"setup-token", "--data", data},
		{"backup", filepath.Join(home, "b.bak"), "--data", own},
	} {
		for _, uid := range []string{"", "54321"} {
			r := m.with("HOME", home, "SUDO_UID", uid).run("", "agentkeys-broker", args...)
			if r.code != exitUsage || !strings.Contains(r.stderr, "hint: sudo -u '#54321' agentkeys-broker "+strings.Join(args, " ")) {
				t.Errorf("%v, SUDO_UID=%s: exit %d, %s", args, uid, r.code, r.stderr)
			}
		}
	}
	if left := pathsBelow(t, home); len(left) > 0 {
		t.Errorf("left in the home: %v", left)
	}
}

func pathsBelow(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func owns(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("no owner of %s", path)
	}
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// What a program that ran with sudo left in a user's home is named, with the command that
// gives it back; and a directory that is root's on purpose is not given away.
func TestAHomeThatRootLeftBehindIsNamed(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	needs.Programs(t, "setpriv")
	const uid, gid = 54321, 54322
	for name, c := range map[string]struct {
		home, slot os.FileMode // of what root left; 0: not there
		parent     int         // owner of the directory that holds the home
		hint       string      // what the chown is of; empty: none is named
	}{
		"a home":                           {0o700, 0, uid, ".agentkeys"},
		"a home that may be read":          {0o755, 0, uid, ".agentkeys"},
		"a slot in it":                     {0o755, 0o700, uid, ".agentkeys"},
		"a directory that is root's alone": {0o700, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			above := filepath.Join(m.dir, "pi")
			home := filepath.Join(above, ".agentkeys")
			if err := os.MkdirAll(home, 0o755); err != nil {
				t.Fatal(err)
			}
			if c.slot != 0 {
				if err := os.Mkdir(filepath.Join(home, "master"), c.slot); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.Chmod(home, c.home), os.Chown(above, c.parent, gid), os.Chmod(m.dir, 0o755), os.Chmod(filepath.Join(m.dir, "conf"), 0o755)); err != nil {
				t.Fatal(err)
			}
			pi := m.with("AGENTKEYS_HOME", home, "AGENTKEYS_BROKER", "http://127.0.0.1:9")
			user := []string{fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups"}
			for _, args := range [][]string{{"agentkeys-daemon", "pair"}, {"agentkeys", "init", "--recovery-key", "-"}} {
				args[0] = filepath.Join(bin, args[0])
				r := pi.run("x", "/usr/bin/setpriv", append(user, args...)...)
				want := fmt.Sprintf("sudo chown -R %d:%d %s\n", uid, gid, filepath.Join(above, c.hint))
				if named := strings.Contains(r.stderr, want); named != (c.hint != "") || r.code != exitFault {
					t.Errorf("%v: exit %d, %s\nwant %s", args, r.code, r.stderr, want)
				}
				if c.hint == "" && strings.Contains(r.stderr, "chown") {
					t.Errorf("%v would give root's own away: %s", args, r.stderr)
				}
			}
		})
	}
}

// What does not stay is used, and named: by pair, by init and by doctor.
func TestAHomeInMemoryIsNamed(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp(needs.Memory(t), "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := startBroker(t)
	m := newMachine(t)
	m.home = filepath.Join(dir, "k")
	m = m.with("AGENTKEYS_HOME", m.home, "AGENTKEYS_BROKER", b.url)
	var opened struct{ Warnings []string }
	r := succeed(t, m.run("", "agentkeys", "init", "--json", "--setup-token-file", filepath.Join(b.data, "setup-token")), []string{"init"})
	if err := json.Unmarshal([]byte(r.stdout), &opened); err != nil || len(opened.Warnings) != 1 || !strings.Contains(opened.Warnings[0], "gone after a reboot") {
		t.Errorf("init: %v, %+v", err, opened)
	}
	o := &owner{machine: m}
	pairing := m.pair(b.url, "--alias", "bot")
	o.must("approve", pairing.code, "--scope", "none", "--yes")
	paired := pairing.paired()
	if said := pairing.wait().stdout; !strings.Contains(said, `"warnings":["`+m.home+" lies on tmpfs at ") {
		t.Errorf("pair: %s", said)
	}
	m.doctor("agentkeys-daemon", "--wallet", paired.Wallet)[0].has("session_at_boot", "warn", "no: "+m.home)
	m.doctor("agentkeys")[0].has("session_at_boot", "warn", "no: "+m.home)
}

func TestASlotThatRootLeftBehindIsNamed(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	needs.Programs(t, "setpriv")
	const uid, gid = 54321, 54322
	m := newMachine(t)
	home := filepath.Join(m.dir, "home")
	w := "0x" + strings.Repeat("1", 40)
	slot := filepath.Join(home, "daemon-"+w)
	if err := errors.Join(os.MkdirAll(slot, 0o700), os.Chown(home, uid, gid), os.Chmod(home, 0o700),
		os.WriteFile(filepath.Join(slot, "session.json"), []byte("{}"), 0o600),
		os.Chmod(m.dir, 0o755), os.Chmod(filepath.Join(m.dir, "conf"), 0o755)); err != nil {
		t.Fatal(err)
	}
	pi := m.with("AGENTKEYS_HOME", home, "XDG_RUNTIME_DIR", "")
	for command, code := range map[string]int{"run": exitFault, "doctor": exitFault, "status": exitUnreachable} {
		r := pi.run("", "/usr/bin/setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups",
			filepath.Join(bin, "agentkeys-daemon"), command, "--wallet", w)
		want := fmt.Sprintf("sudo chown -R %d:%d %s", uid, gid, slot)
		if said := r.stdout + r.stderr; !strings.Contains(said, want) || strings.Contains(said, "can read this wallet") || r.code != code {
			t.Errorf("%s: exit %d, want %d and %q\n%s", command, r.code, code, want, said)
		}
	}
}
