package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

const nobody = 65534

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// insecurity breaks one thing of a slot.
type insecurity struct {
	breakIt func(t *testing.T, dir, file string)
	fix     string // beginning of the command that mends it
	root    bool   // can only be set up by root
}

func insecurities() map[string]insecurity {
	return map[string]insecurity{
		"file readable by others": {func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o644)) }, "chmod 600 ", false},
		"executable file":         {func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o700)) }, "chmod 600 ", false},
		"directory of a group":    {func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o750)) }, "chmod 700 ", false},
		"hard link": {func(t *testing.T, _, file string) {
			must(t, os.Link(file, filepath.Join(t.TempDir(), "second")))
		}, "cp -p ", false},
		"link instead of the file": {func(t *testing.T, _, file string) {
			must(t, os.Rename(file, file+".real"), os.Symlink(file+".real", file))
		}, "mv ", false},
		"link to nothing": {func(t *testing.T, _, file string) {
			must(t, os.Remove(file), os.Symlink("/nonexistent", file))
		}, "mv ", false},
		"FIFO instead of the file": {func(t *testing.T, _, file string) {
			must(t, os.Remove(file), syscall.Mkfifo(file, 0o600))
		}, "mv ", false},
		"directory instead of the file": {func(t *testing.T, _, file string) {
			must(t, os.Remove(file), os.Mkdir(file, 0o700))
		}, "mv ", false},
		"link instead of the directory": {func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir))
		}, "mv ", false},
		"home that others may write": {func(t *testing.T, dir, _ string) {
			must(t, os.Chmod(filepath.Dir(dir), 0o777))
		}, "chmod go-w ", false},
		"home that its group may write": {func(t *testing.T, dir, _ string) {
			must(t, os.Chmod(filepath.Dir(dir), 0o770))
		}, "chmod go-w ", false},
		"file of another user": {func(t *testing.T, _, file string) {
			must(t, os.Chown(file, nobody, nobody))
		}, "chown 0:0 ", true},
		"directory of another user": {func(t *testing.T, dir, _ string) {
			must(t, os.Chown(dir, nobody, nobody))
		}, "chown -R 0 ", true},
	}
}

// TestInvariant14InsecureFilesAreRefusedUntouched breaks one thing of a slot at a
// time; no call may work with it, repair it or block.
func TestInvariant14InsecureFilesAreRefusedUntouched(t *testing.T) {
	t.Parallel()
	for name, c := range insecurities() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.root {
				needs.Root(t)
			}
			s, id := open(t, store.Config{Mode: words.ModeFile}), session.Master()
			save(t, s, id, newSession(wallet.New()))
			file := filepath.Join(s.Dir(id), "session.json")
			c.breakIt(t, s.Dir(id), file)
			before := snapshot(t, s.Home())
			for call, err := range map[string]error{
				"load":      second(s.Load(t.Context(), id)),
				"save":      first(s.Save(t.Context(), id, newSession(wallet.New()))),
				"delete":    s.Delete(t.Context(), id),
				"reconcile": s.ReconcileSlot(t.Context(), id),
			} {
				var insecure *store.InsecureError
				if !errors.As(err, &insecure) || !errors.Is(err, store.ErrInsecure) {
					t.Errorf("%s: %v", call, err)
				} else if !strings.HasPrefix(insecure.Fix, c.fix) {
					t.Errorf("%s: mends with %q, want %q", call, insecure.Fix, c.fix)
				}
			}
			if after := snapshot(t, s.Home()); after != before {
				t.Errorf("touched:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func first(_ store.Info, err error) error                   { return err }
func second(_ session.Session, _ store.Info, e error) error { return e }

// snapshot lists every entry with mode and content; locks are not content.
func snapshot(t *testing.T, home string) string {
	t.Helper()
	var b bytes.Buffer
	must(t, filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, ".lock") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.WriteString(strings.TrimPrefix(path, home) + " " + info.Mode().String() + " ")
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			b.Write(data)
			return err
		}
		b.WriteByte('\n')
		return nil
	}))
	return b.String()
}

// Root gives a slot, and every file in it, to its user.
func TestRootGivesSlotsToTheirUser(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	id := session.DaemonID(wallet.New())
	s := open(t, store.Config{Mode: words.ModeFile, SlotUser: &store.IDs{UID: nobody, GID: nobody}})
	v := newSession(wallet.New())
	save(t, s, id, v)
	must(t, s.WriteFile(id, "cache.json", []byte("{}")))
	release, err := s.HoldRun(id)
	must(t, err)
	release()
	for _, name := range []string{"", "session.json", "cache.json", ".lock", ".run.lock"} {
		info, err := os.Stat(filepath.Join(s.Dir(id), name))
		must(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Uid != nobody || st.Gid != nobody {
			t.Errorf("%q belongs to %d:%d", name, st.Uid, st.Gid)
		}
	}
	wantToken(t, s, id, v)
	if info, err := os.Stat(s.Home()); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("home: %v, %v", info.Mode(), err)
	}
}
