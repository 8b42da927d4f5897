package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Where slots have users, a pending slot belongs to root, so that no other user knows its
// keys; one that belongs to another user is refused.
func TestAPendingSlotOfTheUnitsHomeIsRoots(t *testing.T) {
	t.Parallel()
	b := newAttackedHome(t, 0, &store.IDs{UID: attacker, GID: attacker})
	id := session.NewPendingID()
	v := newSession(wallet.New())
	save(t, b.root, id, v)
	for _, path := range []string{b.root.Dir(id), filepath.Join(b.root.Dir(id), "session.json")} {
		if uid := owner(t, path); uid != 0 {
			t.Errorf("%s belongs to uid %d", path, uid)
		}
	}
	if _, err := b.root.Promote(t.Context(), id, session.DaemonID(v.Wallet), v); err != nil {
		t.Fatal(err)
	}
	if uid := owner(t, b.root.Dir(session.DaemonID(v.Wallet))); uid != attacker {
		t.Errorf("the promoted slot belongs to uid %d", uid)
	}
	foreign := session.NewPendingID()
	save(t, b.root, foreign, v)
	must(t, os.Chown(b.root.Dir(foreign), attacker, attacker), os.Chown(filepath.Join(b.root.Dir(foreign), "session.json"), attacker, attacker))
	if _, _, err := b.root.Load(t.Context(), foreign); !errors.Is(err, store.ErrInsecure) {
		t.Errorf("a pending slot of another user: %v", err)
	}
}

func owner(t *testing.T, path string) int {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return int(st.Uid)
}

// What root is told to type runs with the rights of the slot's owner, who may exchange the file
// between the check and the command.
func TestRootMendsAnotherUsersSlotWithThatUsersRights(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, file string)
		fix   string
	}{
		"mode":      {func(t *testing.T, file string) { must(t, os.Chmod(file, 0o644)) }, "chmod 600 "},
		"owner":     {func(t *testing.T, file string) { must(t, os.Chown(file, 0, 0)) }, "mv "},
		"hard link": {func(t *testing.T, file string) { must(t, os.Link(file, file+".second")) }, "sh -c 'cp -p "},
		"link":      {func(t *testing.T, file string) { must(t, os.Remove(file), os.Symlink("/etc/shadow", file)) }, "mv "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newAttackedHome(t, 0, &store.IDs{UID: attacker, GID: attacker})
			c.spoil(t, filepath.Join(b.root.Dir(b.id), "session.json"))
			_, _, err := b.root.Load(t.Context(), b.id)
			var insecure *store.InsecureError
			want := fmt.Sprintf("setpriv --reuid=%d --regid=%d --clear-groups %s", attacker, attacker, c.fix)
			if !errors.As(err, &insecure) || !strings.HasPrefix(insecure.Fix, want) {
				t.Errorf("%v, %+v", err, insecure)
			}
		})
	}
}
