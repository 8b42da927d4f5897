package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/test/needs"
)

// asPi is a shell's way to run a command with the rights and the environment that the
// unit gives it with the drop-in of --run-as pi.
const asPi = `setpriv --reuid=55002 --regid=55003 --clear-groups env -i PATH=/usr/bin:/bin HOME=/run/home USER=pi DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/55002/bus `

// desktopScript begins pi's login session: a bus and an unlocked keyring on it.
const desktopScript = `set -e
mkdir -p /run/user/55002 /run/home /run/bin
chown 55002:55003 /run/user/55002 /run/home
chmod 700 /run/user/55002 /run/home
cp "$1"/* /run/bin/
` + asPi + `dbus-daemon --session --address=unix:path=/run/user/55002/bus --nofork --nopidfile --nosyslog &
while ! test -S /run/user/55002/bus; do sleep 0.05; done
printf 'correct horse' | ` + asPi + `gnome-keyring-daemon --foreground --unlock --components=secrets
`

// unitScript is what the package's unit does for one instance: a runtime directory, and
// a home in which no other slot is seen.
const unitScript = `set -e
slot=/var/lib/agentkeys/daemon-$1
mkdir -p /run/agentkeys/$1 /run/slot
chown 55002:55003 /run/agentkeys/$1
mount --bind $slot /run/slot
mount -t tmpfs -o mode=755 tmpfs /var/lib/agentkeys
mkdir $slot
mount --bind /run/slot $slot
exec ` + asPi + `AGENTKEYS_HOME=/var/lib/agentkeys RUNTIME_DIRECTORY=/run/agentkeys/$1 STATE_DIRECTORY=$slot INVOCATION_ID=1 /run/bin/agentkeys-daemon run --wallet $1
`

// desktop gives the board's user pi a login session with a real keyring.
func (b *board) desktop() {
	b.t.Helper()
	needs.Programs(b.t, "dbus-daemon", "gnome-keyring-daemon", "setpriv", "secret-tool")
	b.inside("/bin/sh", "-c", desktopScript, "desktop", bin)
	for end := time.Now().Add(patience); ; {
		if r := b.inside("/bin/sh", "-c", asPi+"/run/bin/agentkeys-daemon probe").wait(); r.code == exitOK {
			return
		} else if time.Now().After(end) {
			b.t.Fatalf("the keyring does not come: %s%s", r.stdout, r.stderr)
		}
	}
}

// instance is the unit of w.
func (b *board) instance(w string) *process {
	b.t.Helper()
	return b.inside("/usr/bin/unshare", "-m", "/bin/sh", "-c", unitScript, "unit", w)
}

// Root cannot reach pi's keyring, so it pairs into the file; the daemon, as pi, moves the
// session at its first start.
func TestTheFirstStartAsADesktopUserMovesTheSessionIntoTheKeyring(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.desktop()
	b.pairs(o, "pair", "--alias", "bot", "--run-as", "pi").wait()
	o.put("bot", "openrouter", keyOpenRouter)
	w := b.wallets()[0]
	d := b.instance(w)
	head := unitsHome + "/daemon-" + w + "/session.json"
	b.eventually("the session in the keyring", func() bool {
		return strings.Contains(b.sh("cat "+head), `"where":"keychain"`)
	})
	if text := b.sh("cat " + head); strings.Contains(text, `"payload"`) || strings.Contains(text, `"token"`) {
		t.Error("the session is still in the file")
	}
	expectText(t, b.owners(w), ownersOf(piUID, piGID))
	expectText(t, b.sh(asPi+"secret-tool lookup service agentkeys username daemon-"+w+" | cut -c1-4"), "ak1.")

	b.eventually("the credential for pi", func() bool {
		r := b.inside("/bin/sh", "-c", asPi+"/run/bin/agentkeys read openrouter --wallet "+w).wait()
		return r.code == exitOK && strings.TrimSpace(r.stdout) == keyOpenRouter
	})
	other := b.inside("/bin/sh", "-c", fmt.Sprintf("setpriv --reuid=%d --regid=%d --clear-groups /run/bin/agentkeys read openrouter --wallet %s", unitsUID, unitsGID, w)).wait()
	if other.code != exitDenied {
		t.Errorf("another user reads it: %+v", other)
	}
	status := b.inside("agentkeys-daemon", "status", "--wallet", w).wait()
	if status.code != exitOK || !strings.Contains(status.stdout, "user     pi: every program of pi can read this wallet") {
		t.Errorf("status as root: %+v", status)
	}
	report := b.inside("agentkeys-daemon", "doctor", "--verbose", "--wallet", w).wait()
	if !strings.Contains(report.stdout, "unlocked, says the daemon of uid 55002") || !strings.Contains(report.stdout, "every program of pi can read this wallet") {
		t.Errorf("doctor as root: %+v", report)
	}
	d.signal(15)
	d.wait()
	again := b.instance(w)
	b.eventually("a second start from the keyring", func() bool {
		return b.inside("/bin/sh", "-c", asPi+"/run/bin/agentkeys read openrouter --wallet "+w).wait().code == exitOK
	})
	again.signal(15)
	again.wait()
	forgot := b.inside("agentkeys-daemon", "forget", "--wallet", w, "--yes").wait()
	if forgot.code != exitOK || !strings.Contains(forgot.stderr, "secret-tool clear service agentkeys username daemon-"+w) {
		t.Errorf("forget: %+v", forgot)
	}
	b.sh(asPi + "secret-tool clear service agentkeys username daemon-" + w)
	expectText(t, b.sh(asPi+"secret-tool lookup service agentkeys username daemon-"+w+"; true"), "")
}

// sudo's caller has a keyring, and a person is at the terminal: the question is asked,
// and its answer is what counts.
func TestAPersonIsAskedWhereSudosCallerHasAKeyring(t *testing.T) {
	t.Parallel()
	o := newOwner(t, startBroker(t))
	b := newBoard(t)
	b.desktop()
	for answer, user := range map[string]string{"y": "pi", "": "agentkeys"} {
		pair := "SUDO_UID=55002 /run/bin/agentkeys-daemon pair --alias bot-" + user + " --broker " + o.env["AGENTKEYS_BROKER"]
		p := b.inside("/bin/sh", "-c", "echo "+answer+" | script -qec '"+pair+"' /dev/null")
		text := p.expect("agentkeys approve ")
		_, rest, _ := strings.Cut(text, "agentkeys approve ")
		o.must("approve", strings.Fields(rest)[0], "--scope", "none", "--yes")
		r := p.wait()
		for _, want := range []string{
			"Run as pi, so that the session lies in the keyring of pi? Every program of pi can read the wallet then. [y/N]",
			"runs as  " + user,
		} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%q: no %q in %s%s", answer, want, r.stdout, r.stderr)
			}
		}
	}
}

func (b *board) eventually(what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come\n%s", what, b.said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
