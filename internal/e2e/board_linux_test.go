package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

// board is a machine with the package, on which root types. All of it but the
// network and /tmp is its own: the real paths, in a mount namespace.
type board struct {
	*machine
	pid string
}

func newBoard(t testing.TB) *board {
	t.Helper()
	for _, path := range []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/usr/bin/nsenter", "/usr/bin/unshare"} {
		if _, err := os.Stat(path); err != nil || os.Geteuid() != 0 {
			t.Skipf("needs root and %s", path)
		}
	}
	m := newMachine(t)
	for name, text := range map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\nagentkeys:x:%d:%d::/:/usr/sbin/nologin\npi:x:%d:%d::/home/pi:/bin/sh\n", unitsUID, unitsGID, piUID, piGID),
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

func TestRootPairsForThePackagesUnit(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	r := b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]
	for _, want := range []string{"runs as  agentkeys", "Next:  sudo systemctl enable --now agentkeys-daemon@" + w, "in the file"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in %s%s", want, r.stdout, r.stderr)
		}
	}
	expectText(t, b.owners(w), ownersOf(unitsUID, unitsGID))
	expectText(t, b.sh("ls -A /etc/systemd/system; ls -A "+unitsHome+" | grep -c pending; true"), "0")
	for command, exit := range map[string]int{"status": exitUnreachable, "probe": exitOK, "wait --timeout 100ms --wallet " + w: exitUnreachable} {
		r := b.inside(append([]string{"agentkeys-daemon"}, strings.Fields(command)...)...).wait()
		if r.code != exit {
			t.Errorf("%s: exit %d, want %d: %s%s", command, r.code, exit, r.stdout, r.stderr)
		}
	}
	b.inside("agentkeys-daemon", "doctor", "--wallet", w).wait()
	if forgot := b.inside("agentkeys-daemon", "forget", "--wallet", w, "--yes").wait(); forgot.code != exitOK {
		t.Errorf("forget: %+v", forgot)
	}
	expectText(t, b.sh("find "+unitsHome+" -user 0 ! -path "+unitsHome+"; true"), "")
}

func TestRootPairsForADesktopUser(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	r := b.pairs(o, "pair", "--alias", "bot", "--run-as", "pi", "--start").wait()
	w := b.wallets()[0]
	for _, want := range []string{
		"runs as  pi", "every program of pi can read this wallet", "lingering is off", "sudo loginctl enable-linger pi",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in %s%s", want, r.stdout, r.stderr)
		}
	}
	if r.code != exitOK || !strings.Contains(r.stderr, "systemd does not run here") {
		t.Errorf("--start without systemd: %+v", r)
	}
	expectText(t, b.owners(w), ownersOf(piUID, piGID))
	expectText(t, b.sh("stat -c '%u %a' "+b.dropIn(w)), "0 644")
	text := b.sh("cat " + b.dropIn(w))
	for _, want := range []string{
		"User=pi\n", "Group=raspi\n", "Wants=user@55002.service\n", "After=user@55002.service\n", "ProtectHome=read-only\n",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/55002/bus\n", "InaccessiblePaths=-/home -/root\n", "RemoveIPC=no",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	b.sh("touch /var/lib/systemd/linger/pi; mkdir -p /etc/systemd/system/multi-user.target.wants; ln -s x /etc/systemd/system/multi-user.target.wants/agentkeys-daemon@" + w + ".service")
	forgot := b.inside("agentkeys-daemon", "forget", "--wallet", w, "--yes").wait()
	if forgot.code != exitOK || !strings.Contains(forgot.stderr, "sudo systemctl disable agentkeys-daemon@"+w) {
		t.Errorf("forget: %+v", forgot)
	}
	expectText(t, b.sh("ls /etc/systemd/system"), "multi-user.target.wants")
}

func TestARecoveryMovesAnAgentToADesktopUserAndBack(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]

	b.pairs(o, "recover", "bot", "--run-as", "pi").wait()
	expectText(t, b.sh("grep ^User= "+b.dropIn(w)), "User=pi")
	// The directory is systemd's to give: StateDirectory= does so at the next start, and
	// a daemon that still runs as the other user keeps what it has until then.
	expectText(t, b.owners(w), ownersOf(unitsUID, unitsGID))

	r := b.pairs(o, "recover", "bot").wait()
	if !strings.Contains(r.stdout, "runs as  pi") {
		t.Errorf("a recovery without --run-as changed the user: %s", r.stdout)
	}
	b.pairs(o, "recover", "bot", "--run-as", "agentkeys").wait()
	expectText(t, b.sh("ls -A /etc/systemd/system"), "")
}

// A pairing that was cut off after the drop-in was written leaves nothing that starts
// as the wrong user, whoever goes on with it.
func TestAPairingThatIsCutOffLeavesNoUnitOfTheWrongUser(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	r := b.asks(o, "pair", "--alias", "bot", "--run-as", "pi")
	r.kill()
	again := b.pairs(o, "pair", "--alias", "bot")
	expectText(t, again.code, r.code)
	again.wait()
	w := b.wallets()[0]
	expectText(t, b.owners(w), ownersOf(unitsUID, unitsGID))
	expectText(t, b.sh("ls -A /etc/systemd/system"), "")
}

func TestAForeignDropInIsLeftAloneAndSaid(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]
	b.sh("mkdir -p $(dirname " + b.dropIn(w) + ") && echo '[Service]' > " + b.dropIn(w))
	r := b.inside("agentkeys-daemon", "recover", "bot", "--run-as", "pi", "--broker", o.env["AGENTKEYS_BROKER"]).wait()
	if r.code != exitFault || !strings.Contains(r.stderr, "is in the way") || !strings.Contains(r.stderr, "hint: mv "+b.dropIn(w)) {
		t.Errorf("%+v", r)
	}
	expectText(t, b.sh("cat "+b.dropIn(w)), "[Service]")
}

func TestUsageOfRunAs(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	for args, want := range map[string]string{
		"--run-as nobody-of-this-name": "names no user",
		"--run-as root":                "never runs as root",
		"--run-as 0":                   "never runs as root",
	} {
		r := b.inside(append([]string{"agentkeys-daemon", "pair", "--broker", "http://127.0.0.1:1"}, strings.Fields(args)...)...).wait()
		if r.code != exitUsage || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %+v", args, r)
		}
	}
	r := b.inside("agentkeys-daemon", "pair", "--broker", "http://127.0.0.1:1", "--run-as", "pi", "--session-store", "keychain").wait()
	if r.code != exitUsage || !strings.Contains(r.stderr, "--session-store auto") {
		t.Errorf("keychain mode: %+v", r)
	}
	expectText(t, b.sh("ls -A "+unitsHome), "")
	r = b.inside("/usr/bin/env", "AGENTKEYS_HOME=/srv/keys", filepath.Join(bin, "agentkeys-daemon"), "pair", "--broker", "http://127.0.0.1:1", "--start").wait()
	if r.code != exitUsage || !strings.Contains(r.stderr, "/srv/keys") {
		t.Errorf("another home: %+v", r)
	}
}

// A unit that is started for nobody says what makes a session, and ends for good.
func TestAUnitWithoutASessionNamesTheCommand(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	const w = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	r := b.inside("/usr/bin/env", "INVOCATION_ID=1", filepath.Join(bin, "agentkeys-daemon"), "run", "--wallet", w).wait()
	if r.code != exitNoSession || !strings.Contains(r.stderr, "hint: sudo agentkeys-daemon recover "+w+" --broker URL") {
		t.Errorf("%+v", r)
	}
	expectText(t, b.sh("ls -A "+unitsHome), "")
	r = b.inside("/usr/bin/env", "INVOCATION_ID=1", filepath.Join(bin, "agentkeys-daemon"), "run", "--wallet", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").wait()
	if r.code != exitUsage || !strings.Contains(r.stderr, "hint: systemctl start agentkeys-daemon@"+w) {
		t.Errorf("%+v", r)
	}
}

func expectText(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
