package e2e_test

import (
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// settle logs in anew until both sessions are in the keyring, and only there.
func (f *fire) settle() {
	f.t.Helper()
	patient := &owner{machine: f.o.with("AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)}
	for account, w := range f.watch {
		eventually(f.t, 5*healing, account+" comes to rest in the keyring", func() (string, bool) {
			f.relogin()
			f.d.stop()
			f.restart()
			f.look()
			if r := patient.do("agents", "--json"); r.code != exitOK {
				return r.stderr, false // gnome-keyring may end by itself
			}
			return fmt.Sprintf("%+v", w.head()), w.head().Where == "keychain"
		})
	}
	f.d.stop()
	for account, w := range f.watch {
		w.check()
		if h := w.head(); h.Where != "keychain" || h.Pending != 0 {
			f.t.Errorf("%s: on a healthy keyring: %+v", account, h)
		}
		if n := len(f.seat.entries(account)); n != 1 {
			f.t.Errorf("%s: %d entries in the keyring", account, n)
		}
	}
	for name, content := range tree(f.t, f.home) {
		if strings.HasPrefix(name, "pending-") {
			continue // of a recovery that nobody approved: always in a file
		}
		if strings.Contains(content, `"payload"`) || strings.Contains(content, `"token"`) {
			f.t.Errorf("a session is left in the file %s", name)
		}
	}
	f.seat.logout()
	eventually(f.t, patience, "the children of the killed end", func() (string, bool) {
		left := keyringtest.InHome(f.t, f.env["HOME"])
		return fmt.Sprint(left), len(left) == 0
	})
}

// report says what happened; a long run in which little did proves nothing.
func (f *fire) report(kills int) {
	f.t.Helper()
	cut := 0
	for name, n := range f.tally {
		if strings.HasPrefix(name, "writes cut off") {
			cut += n
		}
	}
	f.t.Logf("%d kills: %v", f.killed, f.tally)
	for account, w := range f.watch {
		up, down := w.moves()
		f.t.Logf("%s: generation %d, %d moves to the keychain, %d to the file", account, w.head().Generation, up, down)
		few := 0 // the owner's slot moves only where a kill or a freeze hits one of its saves
		if account != "master" {
			few = kills / 50
		}
		if kills >= longRun && (up < few || down < few || w.head().Generation < uint64(kills/4)) {
			f.t.Errorf("too little happened to %s: this run proves nothing", account)
		}
	}
	if kills >= longRun && cut < kills/50 {
		f.t.Errorf("%d kills in the middle of a write: this run proves nothing", cut)
	}
}
