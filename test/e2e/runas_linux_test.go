package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/systemd/systemdtest"
)

func TestRootPairsForThePackagesUnit(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	r := b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]
	for _, want := range []string{"runs as  agentkeys", "Next:  " + b.hint("sudo systemctl enable --now agentkeys-daemon@"+w), "in the file"} {
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
		"runs as  pi", "every program of pi can read this wallet", "lingering is off", b.hint("sudo loginctl enable-linger pi"),
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
	if forgot.code != exitOK || !strings.Contains(forgot.stderr, b.hint("sudo systemctl disable agentkeys-daemon@"+w)) {
		t.Errorf("forget: %+v", forgot)
	}
	expectText(t, b.sh("ls /etc/systemd/system"), "multi-user.target.wants")
}

// --start waits for the daemon's word; a start that fails says where to look, and the
// agent is paired all the same.
func TestAPairedAgentIsStarted(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	for result, c := range map[string]struct {
		exit       int
		says, hint string
	}{
		"done":   {exitOK, "Started agentkeys-daemon@", ""},
		"failed": {exitFault, "the agent is paired, but: start agentkeys-daemon@", "hint: " + o.hint("sudo journalctl -u agentkeys-daemon@")},
	} {
		s := systemdtest.Start(t, result, "online, 1 credential")
		b := newBoard(t)
		b.sh("mkdir -p /run/systemd/system")
		b.machine = b.with("DBUS_SYSTEM_BUS_ADDRESS", s.Address)
		r := b.pairs(o, "pair", "--alias", "bot-"+result, "--run-as", "pi", "--start").wait()
		if r.code != c.exit || !strings.Contains(r.stdout+r.stderr, c.says) || !strings.Contains(r.stderr, c.hint) {
			t.Errorf("%s: %+v", result, r)
		}
		unit := "agentkeys-daemon@" + b.wallets()[0] + ".service"
		expectText(t, strings.Join(s.Calls(), ", "), "enable "+unit+", reload, restart "+unit+" replace")
		if result == "done" && !strings.Contains(r.stdout, ": online, 1 credential") {
			t.Errorf("the daemon's word is not told: %s", r.stdout)
		}
	}
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
	for _, user := range []string{"agentkeys", fmt.Sprint(unitsUID)} {
		b.pairs(o, "recover", "bot", "--run-as", user).wait()
		expectText(t, b.sh("ls -A /etc/systemd/system"), "")
	}
}

// The daemon that runs would take the new session up and move it into the keyring of
// the user whom the agent is taken from.
func TestARecoveryForAnotherUserWaitsUntilTheDaemonIsStopped(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]
	daemon := b.runs(w)
	broker := o.env["AGENTKEYS_BROKER"]
	for _, user := range []string{"pi", fmt.Sprint(piUID)} {
		r := b.inside("agentkeys-daemon", "recover", "bot", "--run-as", user, "--broker", broker).wait()
		if r.code != exitFault || strings.Contains(r.stdout, "approve") || !strings.Contains(r.stderr, "still runs") ||
			!strings.Contains(r.stderr, "hint: kill ") || strings.Contains(r.stderr, "systemctl") {
			t.Errorf("%s: %+v", user, r)
		}
	}
	expectText(t, b.sh("ls -A /etc/systemd/system; ls -A "+unitsHome+" | grep -c pending; true"), "0")
	b.pairs(o, "recover", "bot", "--run-as", "agentkeys").wait() // its present user
	daemon.signal(syscall.SIGTERM)
	daemon.wait()
	b.pairs(o, "recover", "bot", "--run-as", "pi").wait()
	expectText(t, b.sh("grep ^User= "+b.dropIn(w)), "User=pi")
}

// The units' user never has a keychain, so a hint to probe it would be useless.
func TestASessionInAKeychainIsLostToTheUnitsUser(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]
	head := `{"version":1,"id":"daemon-` + w + `","generation":3,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + strings.Repeat("ab", 32) + `"}`
	b.sh("echo '" + head + "' > " + unitsHome + "/daemon-" + w + "/session.json; mkdir -p /run/systemd/system")
	want := b.hint("sudo agentkeys-daemon recover " + w + " --broker URL")
	for _, command := range []string{"status", "doctor"} {
		if r := b.inside("agentkeys-daemon", command, "--wallet", w).wait(); !strings.Contains(r.stdout, want) || strings.Contains(r.stdout, "XDG_RUNTIME_DIR") {
			t.Errorf("%s: %+v", command, r)
		}
	}
}

// A daemon that was started while the owner decided keeps the approval waiting.
func TestADaemonStartedDuringARecoveryForAnotherUserIsRefusedToo(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.pairs(o, "pair", "--alias", "bot").wait()
	w := b.wallets()[0]
	r := b.asks(o, "recover", "bot", "--run-as", "pi")
	daemon := b.runs(w)
	o.approves(r, "recover")
	if got := r.wait(); got.code != exitFault || !strings.Contains(got.stderr, "hint: kill ") {
		t.Errorf("%+v", got)
	}
	expectText(t, b.sh("ls -A /etc/systemd/system"), "")
	daemon.signal(syscall.SIGTERM)
	daemon.wait()
	again := b.inside("agentkeys-daemon", "recover", "bot", "--run-as", "pi", "--broker", o.env["AGENTKEYS_BROKER"]).wait()
	if again.code != exitOK {
		t.Errorf("gone on with: %+v", again)
	}
	expectText(t, b.sh("grep ^User= "+b.dropIn(w)), "User=pi")
}

// A pairing that was interrupted after the drop-in was written leaves no unit that starts as
// the wrong user, whichever user continues it.
func TestAPairingThatIsCutOffLeavesNoUnitOfTheWrongUser(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	r := b.asks(o, "pair", "--alias", "bot", "--run-as", "pi")
	r.signal(syscall.SIGSTOP)
	o.approves(r, "pair")
	var agents []identity
	o.decode(&agents, "agents", "--json")
	w := agents[0].Wallet
	expectText(t, strings.Join(b.wallets(), " "), "")
	b.sh("mkdir " + filepath.Dir(b.dropIn(w)))
	b.sh("printf '%s\\n[Service]\\nUser=pi\\n' '# Written by agentkeys-daemon pair --run-as; agentkeys-daemon forget removes it.' > " + b.dropIn(w))
	r.kill()
	again := b.inside("agentkeys-daemon", "pair", "--alias", "bot", "--broker", o.env["AGENTKEYS_BROKER"]).wait()
	if again.code != exitOK || !strings.Contains(again.stdout, "runs as  agentkeys") {
		t.Errorf("gone on with: %+v", again)
	}
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
		"--run-as nobody":              "no agent's session",
		"--run-as 65534":               "no agent's session",
		"--run-as agentkeys-broker":    "no agent's session",
		"--run-as=":                    "--run-as is empty",
		"--start --run-as=":            "--run-as is empty",
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

// A unit without a session names the command that makes one, and is not restarted.
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
	if r.code != exitUsage || !strings.Contains(r.stderr, "hint: sudo systemctl start agentkeys-daemon@"+w) {
		t.Errorf("%+v", r)
	}
}
