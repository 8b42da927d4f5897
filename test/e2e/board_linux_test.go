package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// The users of a board with the package; no user of the machine that runs the tests.
const (
	unitsUID, unitsGID = 55001, 55001
	piUID, piGID       = 55002, 55003
)

// unitsHome, and the drop-in below, are what the package's units know.
const unitsHome = "/var/lib/agentkeys"

// boardScript makes a machine with the package out of this one, seen by its own
// processes alone. Then it waits until it is killed.
const boardScript = `set -e
mount --make-rprivate /
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
for d in /var/lib /run /etc/systemd/system /usr/lib/systemd/system; do mount -t tmpfs -o mode=755 tmpfs $d; done
mkdir -p -m 711 /var/lib/agentkeys
mkdir -p /var/lib/systemd/linger
touch /usr/lib/systemd/system/agentkeys-daemon@.service
echo ready
exec sleep 600
`

// ownSlotScript shows a daemon its own slot alone, as the unit does.
const ownSlotScript = `set -e
slot=$1; shift
mkdir -p /run/slot
mount --bind $slot /run/slot
mount -t tmpfs -o mode=755 tmpfs /var/lib/agentkeys
mkdir $slot
mount --bind /run/slot $slot
exec setpriv "$@"
`

// board is a machine with the package, on which root types. All of it but the
// network and /tmp is its own: the real paths, in a mount namespace.
type board struct {
	*machine
	pid string
}

func newBoard(t testing.TB) *board {
	t.Helper()
	needs.Mounts(t)
	needs.Programs(t, "nsenter", "setpriv")
	needs.Paths(t, "/etc/systemd/system", "/usr/lib/systemd/system")
	m := newMachine(t)
	for name, text := range map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\nagentkeys:x:%d:%d::/:/usr/sbin/nologin\nagentkeys-broker:x:55009:55009::/:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\npi:x:%d:%d::/home/pi:/bin/sh\n", unitsUID, unitsGID, piUID, piGID),
		"group":  fmt.Sprintf("root:x:0:\nagentkeys:x:%d:\nraspi:x:%d:\n", unitsGID, piGID),
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m = m.with("AGENTKEYS_HOME", "", "AGENTKEYS_SESSION_STORE", "")
	holder := m.start("", "/usr/bin/unshare", "-m", "sh", "-c", boardScript, "board", m.dir)
	holder.expect("ready")
	return &board{m, fmt.Sprint(holder.cmd.Process.Pid)}
}

// inside starts a program on the board.
func (b *board) inside(args ...string) *process {
	b.t.Helper()
	if !strings.Contains(args[0], "/") {
		args[0] = filepath.Join(bin, args[0])
	}
	return b.start("", "/usr/bin/nsenter", append([]string{"-m", "-t", b.pid, "--"}, args...)...)
}

// sh runs a line of shell on the board and returns what it says.
func (b *board) sh(line string) string {
	b.t.Helper()
	r := b.inside("/bin/sh", "-c", line).wait()
	if r.code != exitOK {
		b.t.Fatalf("%s: exit %d: %s%s", line, r.code, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// pairs runs pair or recover on the board, and the owner approves.
func (b *board) pairs(o *owner, args ...string) *requester {
	b.t.Helper()
	r := b.asks(o, args...)
	o.approves(r, args[0])
	return r
}

func (o *owner) approves(r *requester, kind string) {
	o.t.Helper()
	if kind == "recover" {
		o.must("approve", r.code, "--agent", "bot", "--yes")
		return
	}
	o.must("approve", r.code, "--scope", "openrouter", "--yes")
}

// runs starts the daemon of w as the units' user and waits until it holds the slot.
func (b *board) runs(w string) *process {
	b.t.Helper()
	b.sh("test -e /run/agentkeys-daemon || install -m 755 " + filepath.Join(bin, "agentkeys-daemon") + " /run/")
	p := b.inside("/usr/bin/unshare", "-m", "sh", "-c", ownSlotScript, "unit", unitsHome+"/daemon-"+w,
		fmt.Sprintf("--reuid=%d", unitsUID), fmt.Sprintf("--regid=%d", unitsGID), "--clear-groups",
		"/usr/bin/env", "AGENTKEYS_HOME="+unitsHome, "AGENTKEYS_CONFIG_DIR=/run/none", "/run/agentkeys-daemon", "run", "--wallet", w)
	lock := unitsHome + "/daemon-" + w + "/.run.lock"
	eventually(b.t, patience, "the daemon holds its slot", func() (string, bool) {
		if !p.running() {
			b.t.Fatalf("the daemon ended\nstdout: %s\nstderr: %s", p.out, p.err)
		}
		// A test that tried the lock would hold it for a moment in which the daemon may need
		// it. The shell becomes the daemon without a fork, so the daemon has its number.
		r := b.inside("/bin/sh", "-c", fmt.Sprintf(`grep "FLOCK .* %d .*:$(stat -c %%i %s) " /proc/locks`, p.cmd.Process.Pid, lock)).wait()
		return fmt.Sprint(r.stdout, r.stderr, p.err), r.code == 0
	})
	return p
}

// asks shows a code.
func (b *board) asks(o *owner, args ...string) *requester {
	b.t.Helper()
	p := b.inside(append([]string{"agentkeys-daemon"}, append(args, "--broker", o.env["AGENTKEYS_BROKER"])...)...)
	text := p.expect("agentkeys approve ")
	_, rest, _ := strings.Cut(text, "agentkeys approve ")
	return &requester{p, strings.Fields(rest + " none")[0]}
}

func (b *board) dropIn(w string) string {
	return "/etc/systemd/system/agentkeys-daemon@" + w + ".service.d/desktop-user.conf"
}

// wallets lists the slots of the board.
func (b *board) wallets() []string {
	b.t.Helper()
	return strings.Fields(b.sh("cd " + unitsHome + " && ls -d daemon-* 2>/dev/null | sed s/daemon-//; true"))
}

// owners says to whom everything of a slot belongs, and the modes.
func (b *board) owners(w string) string {
	b.t.Helper()
	return b.sh("cd " + unitsHome + " && stat -c '%u:%g %a' daemon-" + w + " && stat -c '%u:%g %a' daemon-" + w + "/session.json")
}

func ownersOf(uid, gid int) string { return fmt.Sprintf("%d:%d 700\n%d:%d 600", uid, gid, uid, gid) }

func expectText(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
