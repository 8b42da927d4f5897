package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// attacker is the user id of the slot in which root works.
const attacker = 54321

// attackedHome is a home in which root works while the user of one slot changes everything
// that this user can change.
type attackedHome struct {
	t          *testing.T
	root       *store.Store
	victims    *store.Store // of another user, in the same home
	refused    int          // calls of root that saw the attack
	id, victim session.ID
	outside    string // a file of root's alone
	before     string // what must not change
	good       []byte // a head of the slot that is sound
}

// newAttackedHome needs a directory that the attacker can enter, which t.TempDir is not.
func newAttackedHome(t *testing.T, homeOwner int, slotUser *store.IDs) *attackedHome {
	t.Helper()
	needs.Root(t) // another user attacks while root works
	top, err := os.MkdirTemp("", "attack")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	home, outside := filepath.Join(top, "home"), filepath.Join(top, "outside")
	must(t, os.Chmod(top, 0o711), os.Mkdir(home, 0o711), os.Chown(home, homeOwner, homeOwner))
	must(t, os.WriteFile(outside, []byte("root's own"), 0o600))
	s, err := store.New(store.Config{Home: home, Mode: words.ModeFile, SlotUser: slotUser})
	must(t, err)
	other, err := store.New(store.Config{Home: home, Mode: words.ModeFile, SlotUser: &store.IDs{UID: nobody, GID: nobody}})
	must(t, err)
	b := &attackedHome{
		t: t, root: s, victims: other, outside: outside,
		id: session.DaemonID(wallet.New()), victim: session.DaemonID(wallet.New()),
	}
	save(t, other, b.victim, newSession(wallet.New()))
	save(t, s, b.id, newSession(wallet.New()))
	must(t, s.WriteFile(b.id, "cache.json", []byte("{}")))
	b.good, err = os.ReadFile(filepath.Join(s.Dir(b.id), "session.json"))
	must(t, err)
	b.before = b.untouched()
	return b
}

// untouched describes what the attacker may not gain or change.
func (b *attackedHome) untouched() string {
	b.t.Helper()
	var out strings.Builder
	for _, path := range []string{
		b.outside, b.root.Home(), b.root.Dir(b.victim), filepath.Join(b.root.Dir(b.victim), "session.json"),
	} {
		var st unix.Stat_t
		must(b.t, unix.Lstat(path, &st))
		fmt.Fprintf(&out, "%s %o %d:%d links %d", filepath.Base(path), st.Mode, st.Uid, st.Gid, st.Nlink)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			data, err := os.ReadFile(path)
			must(b.t, err)
			out.Write(data)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// asAttacker runs f on a thread that has the attacker's rights and ends with it.
func asAttacker(t *testing.T, f func()) (done chan struct{}) {
	t.Helper()
	done = make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread is not used again
		for _, drop := range [][]uintptr{
			{unix.SYS_SETGROUPS, 0, 0, 0}, {unix.SYS_SETRESGID, attacker, attacker, attacker}, {unix.SYS_SETRESUID, attacker, attacker, attacker},
		} {
			if _, _, errno := syscall.RawSyscall(drop[0], drop[1], drop[2], drop[3]); errno != 0 {
				t.Errorf("give up root: %v", errno)
				return
			}
		}
		if f, err := os.Open("/etc/shadow"); err == nil {
			_ = f.Close()
			t.Error("the attacker has root's rights: the test proves nothing")
			return
		}
		f()
	}()
	return done
}

// exchange puts something in the place of name: errors only mean that root was faster.
func (b *attackedHome) exchange(name string) {
	dir := b.root.Dir(b.id)
	path, aside := filepath.Join(dir, name), filepath.Join(dir, ".aside")
	_ = os.RemoveAll(aside)
	switch rand.IntN(30) { // two of three times what is sound, so that root gets somewhere
	case 0:
		_ = os.Symlink(b.outside, aside)
	case 1:
		_ = os.Symlink(filepath.Join(b.root.Dir(b.victim), name), aside)
	case 2:
		_ = os.Symlink(filepath.Join("..", b.victim.String(), name), aside)
	case 3:
		_ = syscall.Mkfifo(aside, 0o600)
	case 4:
		_ = os.Link(b.outside, aside)
	case 5:
		_ = os.Link(filepath.Join(dir, "cache.json"), aside)
	case 6:
		_ = os.Mkdir(aside, 0o700)
	case 7:
		_ = os.WriteFile(aside, []byte(strings.Repeat("x", 1<<17)), 0o600)
	case 8:
		_ = os.WriteFile(aside, b.good, 0o666)
	default:
		_ = os.WriteFile(aside, b.good, 0o600)
	}
	_ = os.RemoveAll(path)
	_ = os.Rename(aside, path)
}

func (b *attackedHome) attackFiles(stop <-chan struct{}) {
	names := []string{"session.json", "cache.json", ".lock", ".run.lock", "session.json.corrupt-1"}
	for {
		select {
		case <-stop:
			return
		default:
		}
		b.exchange(names[rand.IntN(len(names))])
		entries, _ := os.ReadDir(b.root.Dir(b.id))
		for _, e := range entries { // what root writes just now
			if strings.HasSuffix(e.Name(), ".tmp") {
				b.exchange(e.Name())
			}
		}
		_ = os.Chmod(b.root.Dir(b.id), 0o700)
	}
}

// work is everything that root's commands do with a slot.
func (b *attackedHome) work(round int, s session.Session) error {
	ctx := b.t.Context()
	switch round % 8 {
	case 0:
		return first(b.root.Save(ctx, b.id, s))
	case 1:
		got, _, err := b.root.Load(ctx, b.id)
		b.wantNotTheVictims(got, err)
		return err
	case 2:
		got, _, err := b.root.Peek(ctx, b.id)
		b.wantNotTheVictims(got, err)
		return err
	case 3:
		return b.root.WriteFile(b.id, "cache.json", []byte("{}"))
	case 4:
		release, err := b.root.HoldRun(b.id)
		if err == nil {
			release()
		}
		return err
	case 5:
		return b.root.Delete(ctx, b.id)
	case 6:
		_, err := b.root.List()
		_, inspected := b.root.Inspect(b.id, store.Probe{})
		return errors.Join(err, inspected, b.root.ReconcileSlot(ctx, b.id))
	}
	return b.root.RemoveFile(b.id, "cache.json")
}

func (b *attackedHome) wantNotTheVictims(got session.Session, err error) {
	b.t.Helper()
	if err != nil {
		return
	}
	theirs, _, err := b.victims.Load(b.t.Context(), b.victim)
	must(b.t, err)
	if got.Token.Equal(theirs.Token) {
		b.t.Error("root read the session of another slot")
	}
}

// run lets root work for some rounds while attack runs at the same time.
func (b *attackedHome) run(rounds int, attack func(stop <-chan struct{})) {
	stop := make(chan struct{})
	done := asAttacker(b.t, func() { attack(stop) })
	began := time.Now()
	for round := range rounds {
		if err := b.work(round, newSession(wallet.New())); errors.Is(err, store.ErrInsecure) {
			b.refused++
		}
	}
	close(stop)
	<-done
	b.t.Logf("%d calls of root during the attack in %s, %d refused", rounds, time.Since(began), b.refused)
	if b.refused == 0 {
		b.t.Error("root never met the attacker: the test proves nothing")
	}
	if after := b.untouched(); after != b.before {
		b.t.Errorf("the attacker changed what belongs to others:\n%s\nbefore:\n%s", after, b.before)
	}
	b.nothingGained()
}

// nothingGained: outside the attacked slot nothing belongs to the attacker.
func (b *attackedHome) nothingGained() {
	b.t.Helper()
	must(b.t, filepath.WalkDir(filepath.Dir(b.root.Home()), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		inside := path == b.root.Dir(b.id) || strings.HasPrefix(path, b.root.Dir(b.id)+"/")
		if st.Uid == attacker && !inside && path != b.root.Home() {
			b.t.Errorf("%s belongs to the attacker", path)
		}
		return nil
	}))
}

// TestASlotsUserGainsNothingFromRoot: links, FIFOs, hard links, directories and
// half-written files appear while root saves, loads, deletes and looks.
func TestASlotsUserGainsNothingFromRoot(t *testing.T) {
	t.Parallel()
	b := newAttackedHome(t, 0, &store.IDs{UID: attacker, GID: attacker})
	b.run(1200, b.attackFiles)
}

// TestAHomesUserGainsNothingFromRoot: the whole home is the attacker's, who exchanges
// slots as well (root with AGENTKEYS_HOME=/home/pi/.agentkeys).
func TestAHomesUserGainsNothingFromRoot(t *testing.T) {
	t.Parallel()
	b := newAttackedHome(t, attacker, nil)
	secret := filepath.Join(filepath.Dir(b.root.Home()), "secret")
	must(t, os.Mkdir(secret, 0o700), os.WriteFile(filepath.Join(secret, "session.json"), []byte("root's own"), 0o600))
	slot, aside := b.root.Dir(b.id), b.root.Dir(b.id)+".aside"
	b.run(600, func(stop <-chan struct{}) {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(slot, aside)
			switch rand.IntN(3) {
			case 0:
				_ = os.Symlink(secret, slot)
			case 1:
				_ = os.Symlink(b.victim.String(), slot)
			default:
				_ = os.Mkdir(slot, 0o700)
			}
			runtime.Gosched()
			_ = os.RemoveAll(slot)
			_ = os.Rename(aside, slot)
		}
	})
	var st unix.Stat_t
	must(t, unix.Stat(secret, &st))
	if data, err := os.ReadFile(filepath.Join(secret, "session.json")); err != nil || string(data) != "root's own" || st.Uid != 0 {
		t.Errorf("root's directory: %q, %v, uid %d", data, err, st.Uid)
	}
}
