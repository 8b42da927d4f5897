package slotdir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestOpenMakesNothing(t *testing.T) {
	t.Parallel()
	home := newHome(t, slotdir.Config{})
	if _, err := home.Open(session.Master()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := home.Open(session.ID{}); !errors.Is(err, session.ErrID) {
		t.Errorf("no id: %v", err)
	}
	if _, err := os.Stat(home.Files().Home()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home was made: %v", err)
	}
}

// A process may die at any operation of Make. The one that another process repeats is on
// the disk when it returns, whatever the first one left unsynced.
func TestASlotThatWasMadeIsDurable(t *testing.T) {
	t.Parallel()
	for at := range 20 {
		disk := storetest.NewDisk(nil)
		first, second := disk.Process(), disk.Process()
		first.CrashAfter(at)
		_, _ = slotdir.New(slotdir.Config{Home: "/h", FS: first}).Make(session.Master()) // crashed, as a rule
		if _, err := slotdir.New(slotdir.Config{Home: "/h", FS: second}).Make(session.Master()); err != nil {
			t.Fatalf("crash at %d: %v", at, err)
		}
		disk.PowerCut(func(int) int { return 0 }, first, second) // nothing unsynced is kept
		if _, err := slotdir.New(slotdir.Config{Home: "/h", FS: disk.Process()}).Open(session.Master()); err != nil {
			t.Errorf("crash at %d, then a power cut: %v", at, err)
		}
	}
}

func TestLockedExcludesAndCleansUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := storetest.NewDisk(nil)
		open := func() *slotdir.Slot {
			return makeSlot(t, slotdir.New(slotdir.Config{Home: "/h", FS: disk.Process()}), session.Master())
		}
		one, two := open(), open()
		must(t, one.Locked(t.Context(), func() error {
			start := time.Now()
			err := two.Locked(t.Context(), func() error { t.Error("both have the lock"); return nil })
			if took := time.Since(start); !errors.Is(err, slotdir.ErrBusy) || took != 5*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			if err := two.TryLocked(func() error { return nil }); !errors.Is(err, slotdir.ErrBusy) {
				t.Errorf("without waiting: %v", err)
			}
			return nil
		}))
		refused := errors.New("no")
		if err := two.Locked(t.Context(), func() error { return refused }); !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
		must(t, one.TryLocked(func() error { return nil }))
	})
}

func TestCleanUpRemovesWhatAnInterruptedWriteLeft(t *testing.T) {
	t.Parallel()
	s := makeSlot(t, newHome(t, slotdir.Config{}), session.Master())
	left := filepath.Join(s.Path(), ".session.json.0011223344556677.tmp")
	must(t, os.WriteFile(left, []byte("half a sess"), 0o600), s.CleanUp(t.Context()))
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestRemoveUnusedLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	home := newHome(t, slotdir.Config{})
	s := makeSlot(t, home, session.Master())
	must(t, s.Write(words.FileHead, []byte("{}")))
	answer := func(unused bool, err error) func() (bool, error) {
		return func() (bool, error) { return unused, err }
	}
	release, err := s.HoldRun()
	must(t, err)
	if removed, err := s.RemoveUnused(t.Context(), answer(true, nil)); removed || err != nil {
		t.Errorf("in use: %v, %v", removed, err)
	}
	must(t, release.Close())
	if removed, err := s.RemoveUnused(t.Context(), answer(false, nil)); removed || err != nil {
		t.Errorf("used again: %v, %v", removed, err)
	}
	refused := errors.New("no")
	if removed, err := s.RemoveUnused(t.Context(), answer(true, refused)); removed || !errors.Is(err, refused) {
		t.Errorf("cannot be told: %v, %v", removed, err)
	}
	if !s.Has(words.FileHead) {
		t.Fatal("the slot is gone")
	}
	if removed, err := s.RemoveUnused(t.Context(), answer(true, nil)); !removed || err != nil {
		t.Errorf("unused: %v, %v", removed, err)
	}
	if _, err := os.Stat(s.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory stays: %v", err)
	}
	must(t, s.RemoveAll(t.Context())) // another process was faster
}

func TestEachNamesSlotsAndWhatIsInTheirPlace(t *testing.T) {
	t.Parallel()
	home := newHome(t, slotdir.Config{})
	visit := func() (good, refused []string) {
		must(t, home.Each(func(id session.ID, s *slotdir.Slot, err error) {
			if errors.Is(err, slotdir.ErrInsecure) && s == nil {
				refused = append(refused, id.String())
			} else if err == nil {
				good = append(good, s.ID().String())
			}
		}))
		return good, refused
	}
	if good, refused := visit(); good != nil || refused != nil {
		t.Errorf("no home: %v, %v", good, refused)
	}
	for _, name := range []string{"master", "open"} {
		id, err := session.ParseID(name)
		must(t, err)
		makeSlot(t, home, id)
	}
	in := func(name string) string { return filepath.Join(home.Files().Home(), name) }
	must(t, os.Chmod(in("open"), 0o755), os.Symlink("master", in("link")),
		os.WriteFile(in("file"), nil, 0o600), os.Mkdir(in("daemon-0xABC"), 0o700))
	good, refused := visit()
	if !slices.Equal(good, []string{"master"}) || !slices.Equal(refused, []string{"link", "open"}) {
		t.Errorf("%v, %v", good, refused)
	}
}

func TestLooseFilesOfTheHome(t *testing.T) {
	t.Parallel()
	home := newHome(t, slotdir.Config{})
	read := func(name string) error { _, err := home.ReadLoose(name, 10); return err }
	if err := read("session"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no home: %v", err)
	}
	makeSlot(t, home, session.Master())
	must(t, os.WriteFile(home.LoosePath("session"), []byte("old"), 0o600), os.WriteFile(home.LoosePath("open"), nil, 0o644),
		os.WriteFile(home.LoosePath("long"), make([]byte, 11), 0o600))
	if data, err := home.ReadLoose("session", 10); err != nil || string(data) != "old" {
		t.Errorf("%q, %v", data, err)
	}
	for name, want := range map[string]error{
		"absent": fs.ErrNotExist, "master": fs.ErrNotExist, "open": slotdir.ErrInsecure, "long": slotdir.ErrTooLong,
	} {
		if err := read(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	must(t, home.RemoveLoose("session"))
	if err := read("session"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}
