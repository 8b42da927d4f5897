package e2e_test

import (
	"fmt"
	"strings"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// finish logs in anew until both sessions are in the keyring, and only there.
func (k *killTest) finish() {
	k.t.Helper()
	patient := &owner{machine: k.o.with("AGENTKEYS_KEYCHAIN_TIMEOUT", patiently)}
	for account, w := range k.watch {
		eventually(k.t, 5*healing, account+" comes to rest in the keyring", func() (string, bool) {
			k.relogin()
			k.d.stop()
			k.restart()
			k.look()
			if r := patient.do("agents", "--json"); r.code != exitOK {
				return r.stderr, false // gnome-keyring may end by itself
			}
			return fmt.Sprintf("%+v", w.head()), w.head().Where == "keychain"
		})
	}
	k.d.stop()
	for account, w := range k.watch {
		w.check()
		if h := w.head(); h.Where != "keychain" || h.Pending != 0 {
			k.t.Errorf("%s: on a healthy keyring: %+v", account, h)
		}
		if n := len(k.user.entries(account)); n != 1 {
			k.t.Errorf("%s: %d entries in the keyring", account, n)
		}
	}
	for name, content := range tree(k.t, k.home) {
		if strings.HasPrefix(name, "pending-") {
			continue // of a recovery that was not approved: always in a file
		}
		if strings.Contains(content, `"payload"`) || strings.Contains(content, `"token"`) {
			k.t.Errorf("a session is left in the file %s", name)
		}
	}
	k.user.logout()
	eventually(k.t, patience, "the children of the killed end", func() (string, bool) {
		left := keyringtest.InHome(k.t, k.env["HOME"])
		return fmt.Sprint(left), len(left) == 0
	})
}

// report says what happened; a long run in which little did proves nothing.
func (k *killTest) report(kills int) {
	k.t.Helper()
	cut := 0
	for name, n := range k.tally {
		if strings.HasPrefix(name, "writes cut off") {
			cut += n
		}
	}
	k.t.Logf("%d kills: %v", k.killed, k.tally)
	for account, w := range k.watch {
		up, down := w.moves()
		k.t.Logf("%s: generation %d, %d moves to the keychain, %d to the file", account, w.head().Generation, up, down)
		few := 0 // the owner's slot moves only where a kill or a freeze hits one of its saves
		if account != "master" {
			few = kills / 50
		}
		if kills >= longRun && (up < few || down < few || w.head().Generation < uint64(kills/4)) {
			k.t.Errorf("too little happened to %s: this run proves nothing", account)
		}
	}
	if kills >= longRun && cut < kills/50 {
		k.t.Errorf("%d kills in the middle of a write: this run proves nothing", cut)
	}
}
