package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// deviations are what a file system does otherwise than a good one.
type deviations struct {
	dirMode, fileMode fs.FileMode // what each becomes; 0: as asked for
	uid               int         // whom everything belongs to; -1: who makes it
	noLock, openLock  bool
	mkdir, create     error
	rename, fileSync  error
	dirSync           error
}

func good() deviations { return deviations{uid: -1} }

// oddDir is a directory of such a file system.
type oddDir struct {
	atomicfile.Dir
	h deviations
}

func (d oddDir) change(i atomicfile.Info) atomicfile.Info {
	if d.h.uid >= 0 {
		i.UID = d.h.uid
	}
	switch {
	case i.Mode.IsDir() && d.h.dirMode != 0:
		i.Mode = fs.ModeDir | d.h.dirMode
	case i.Mode.IsRegular() && d.h.fileMode != 0:
		i.Mode = d.h.fileMode
	}
	return i
}

func (d oddDir) Stat() (atomicfile.Info, error) {
	i, err := d.Dir.Stat()
	return d.change(i), err
}

func (d oddDir) OpenDir(name string) (atomicfile.Dir, error) {
	dir, err := d.Dir.OpenDir(name)
	return oddDir{dir, d.h}, err
}

func (d oddDir) Mkdir(name string) error {
	return first(d.h.mkdir, func() error { return d.Dir.Mkdir(name) })
}

func (d oddDir) Rename(from, to string) error {
	return first(d.h.rename, func() error { return d.Dir.Rename(from, to) })
}

func (d oddDir) CanSync() (bool, error) {
	if errors.Is(d.h.dirSync, syscall.EINVAL) {
		return false, nil
	}
	return d.h.dirSync == nil, d.h.dirSync
}

func (d oddDir) Create(name string) (atomicfile.File, error) {
	if d.h.create != nil {
		return nil, d.h.create
	}
	f, err := d.Dir.Create(name)
	return oddFile{f, d}, err
}

func (d oddDir) Open(name string) (atomicfile.File, error) {
	f, err := d.Dir.Open(name)
	return oddFile{f, d}, err
}

func (d oddDir) Lock(name string) (io.Closer, error) {
	switch {
	case d.h.noLock:
		return nil, syscall.ENOLCK
	case d.h.openLock:
		return io.NopCloser(strings.NewReader("")), nil
	}
	return d.Dir.Lock(name)
}

type oddFile struct {
	atomicfile.File
	d oddDir
}

func (f oddFile) Stat() (atomicfile.Info, error) {
	i, err := f.File.Stat()
	return f.d.change(i), err
}

func (f oddFile) Sync() error { return first(f.d.h.fileSync, f.File.Sync) }

func first(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

func TestAFileSystemIsTriedBeforeItIsTrusted(t *testing.T) {
	t.Parallel()
	me := os.Geteuid()
	for name, c := range map[string]struct {
		change func(*deviations)
		unfit  bool
		cause  error  // in its chain; may be nil
		says   string // part of the error
	}{
		"a good one":                                {func(*deviations) {}, false, nil, ""},
		"exFAT with umask=077: files may be run":    {func(h *deviations) { h.fileMode = 0o700 }, true, nil, "0600 was asked for, and became 0700"},
		"vfat as it is mounted by default":          {func(h *deviations) { h.fileMode, h.dirMode = 0o755, 0o755 }, true, nil, "0700 was asked for, and became 0755"},
		"CIFS without permissions":                  {func(h *deviations) { h.fileMode, h.dirMode = 0o777, 0o777 }, true, nil, "it does not keep modes"},
		"vfat with dmask and fmask for this user":   {func(h *deviations) { h.fileMode, h.dirMode, h.uid = 0o600, 0o700, me }, false, nil, ""},
		"a mount that is another user's":            {func(h *deviations) { h.uid = me + 1000 }, true, nil, "it does not keep owners"},
		"a server that maps all users to nobody":    {func(h *deviations) { h.uid = 65534 }, true, nil, "belongs to uid 65534"},
		"no locks":                                  {func(h *deviations) { h.noLock = true }, true, syscall.ENOLCK, "nothing can be locked"},
		"locks that exclude no process":             {func(h *deviations) { h.openLock = true }, true, nil, "a lock excludes no other process"},
		"no rename over a file":                     {func(h *deviations) { h.rename = syscall.EPERM }, true, syscall.EPERM, "no file can be replaced"},
		"no fsync of files":                         {func(h *deviations) { h.fileSync = syscall.EINVAL }, true, syscall.EINVAL, "no file can be replaced"},
		"no directories, as /dev/pts":               {func(h *deviations) { h.mkdir = syscall.EPERM }, true, syscall.EPERM, "no directory can be made"},
		"a disk that fails":                         {func(h *deviations) { h.fileSync = syscall.EIO }, false, syscall.EIO, "no file can be replaced"},
		"a disk that is full":                       {func(h *deviations) { h.create = syscall.ENOSPC }, false, syscall.ENOSPC, ""},
		"a directory that is read-only":             {func(h *deviations) { h.mkdir = syscall.EROFS }, false, syscall.EROFS, ""},
		"a server that has forgotten the directory": {func(h *deviations) { h.mkdir = syscall.ESTALE }, false, syscall.ESTALE, ""},
		"a directory whose sync fails":              {func(h *deviations) { h.dirSync = syscall.EIO }, false, syscall.EIO, "a directory cannot be synced"},
		"a directory that cannot be synced, vboxsf": {func(h *deviations) { h.dirSync = syscall.EINVAL }, false, nil, ""},
		"the quota is used up":                      {func(h *deviations) { h.create = syscall.EDQUOT }, false, syscall.EDQUOT, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			h := good()
			c.change(&h)
			trial := atomicfile.Trial{Path: path, EUID: me, UID: me}
			found, err := trial.Try(oddDir{openDir(t, atomicfile.System{}, path), h})
			switch {
			case errors.Is(err, atomicfile.ErrUnfit) != c.unfit:
				t.Errorf("unfit: %v", err)
			case c.cause != nil && !errors.Is(err, c.cause), c.cause == nil && !c.unfit && err != nil:
				t.Errorf("error %v", err)
			case err != nil && (!strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path)):
				t.Errorf("it says %q", err)
			case err == nil && found.SyncsDirs != (h.dirSync == nil):
				t.Errorf("found %+v", found)
			}
			if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

// Root is kept out of a home by the server, or by a user's own mount.
func TestRootWithoutRightsIsToldSo(t *testing.T) {
	t.Parallel()
	h := good()
	h.mkdir = syscall.EACCES
	_, err := atomicfile.Trial{Path: "/home/pi"}.Try(oddDir{openDir(t, atomicfile.System{}, t.TempDir()), h})
	if !errors.Is(err, atomicfile.ErrUnfit) || !strings.Contains(err.Error(), "root_squash") {
		t.Errorf("%v", err)
	}
}

func TestATrialOnNFSLeavesNothing(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk(nil)
	disk.LikeNFS()
	p := disk.Process()
	if err := p.MakeDir("/home", 0o755); err != nil {
		t.Fatal(err)
	}
	me := os.Geteuid()
	if _, err := (atomicfile.Trial{Path: "/home", EUID: me, UID: me}).Try(openDir(t, p, "/home")); err != nil {
		t.Fatal(err)
	}
	if files := disk.Files(); len(files) > 0 {
		t.Errorf("left over: %v", files)
	}
	if names, err := openDir(t, p, "/home").Names(); err != nil || len(names) > 0 {
		t.Errorf("left over: %v, %v", names, err)
	}
}

// What is no directory is found out without opening it, and is not what does not exist.
func TestWhatIsNoDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("file"), nil, 0o600), os.Symlink("nowhere", at("dangling")), os.Symlink("loop", at("loop")),
		syscall.Mkfifo(at("fifo"), 0o600), os.Symlink(".", at("link"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"file": atomicfile.ErrNoDir, "file/below": atomicfile.ErrNoDir, "dangling": atomicfile.ErrNoDir, "loop": atomicfile.ErrNoDir,
		"fifo": atomicfile.ErrNoDir, "missing": fs.ErrNotExist, "link": nil, ".": nil,
	} {
		opened, err := atomicfile.System{}.OpenDir(at(name))
		if !errors.Is(err, want) || err != nil && strings.Count(err.Error(), dir) != 1 {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if err == nil {
			_ = opened.Close() // nothing was written
		}
	}
}
