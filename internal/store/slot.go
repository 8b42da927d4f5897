package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// errNoHead: the slot was never saved. Internal: callers see ErrNoSession, or what
// the keychain and earlier layouts have to say.
var errNoHead = errors.New("no head")

// slot is one open slot directory that passed the checks.
type slot struct {
	store *Store
	id    session.ID
	path  string
	dir   atomicfile.Dir
	info  atomicfile.Info

	promoting string // the pending slot whose session this call stores; empty = none
}

func (t *slot) close() { _ = t.dir.Close() } // every write was synced by itself

// openSlot opens an existing slot; fs.ErrNotExist when there is none.
func (s *Store) openSlot(id session.ID) (*slot, error) {
	if id.IsZero() {
		return nil, session.ErrID
	}
	home, homeInfo, err := s.openHome()
	if err != nil {
		return nil, err
	}
	defer func() { _ = home.Close() }() // read only
	return s.openSlotIn(home, homeInfo, id)
}

func (s *Store) openSlotIn(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID) (*slot, error) {
	path := s.Dir(id)
	dir, err := home.OpenDir(id.String())
	if err != nil {
		return nil, s.closedError(home, homeInfo, id, err)
	}
	info, err := dir.Stat()
	if err == nil {
		err = s.checkDir(id, info, homeInfo)
	}
	if err != nil {
		_ = dir.Close() // nothing was written
		return nil, err
	}
	return &slot{store: s, id: id, path: path, dir: dir, info: info}, nil
}

func (s *Store) openHome() (atomicfile.Dir, atomicfile.Info, error) {
	home, err := s.cfg.FS.OpenDir(s.cfg.Home)
	if err != nil {
		return nil, atomicfile.Info{}, s.homeError(s.cfg.Home, err)
	}
	info, err := home.Stat()
	if err == nil {
		err = checkHome(s.cfg.Home, info)
	}
	if err != nil {
		_ = home.Close() // nothing was written
		return nil, info, err
	}
	return home, info, nil
}

// makeSlot opens a slot and makes it, durably, if it was never saved.
func (s *Store) makeSlot(id session.ID) (*slot, error) {
	t, err := s.openSlot(id)
	if err == nil {
		_, _, err = t.readHead()
		if !errors.Is(err, errNoHead) {
			return t, nil
		}
		t.close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := s.cfg.FS.MakeDir(s.cfg.Home, s.homeMode()); err != nil {
		return nil, fmt.Errorf("make %s: %w", s.cfg.Home, err)
	}
	home, homeInfo, err := s.openHome()
	if err != nil {
		return nil, err
	}
	defer func() { _ = home.Close() }() // synced below
	if err := s.makeSlotIn(home, homeInfo, id); err != nil {
		return nil, err
	}
	return s.openSlotIn(home, homeInfo, id)
}

// homeMode lets the users of root's slots reach them in a home that root makes.
func (s *Store) homeMode() fs.FileMode {
	if s.euid == 0 && s.cfg.SlotUser != nil {
		return 0o755
	}
	return 0o700
}

// makeSlotIn syncs home even if the directory was there: whoever made it may have
// been cut off before his own sync.
func (s *Store) makeSlotIn(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID) error {
	if err := home.Mkdir(id.String()); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrPermission) {
			err = s.homeError(s.cfg.Home, err)
		}
		return fmt.Errorf("make %s: %w", s.Dir(id), err)
	}
	if err := s.giveSlot(home, homeInfo, id); err != nil {
		return err
	}
	if err := home.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.cfg.Home, err)
	}
	return nil
}

// closedError explains err, with which the slot's directory could not be opened: one that
// is another user's is insecure, which names the command that mends it.
func (s *Store) closedError(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID, err error) error {
	if info, e := home.Lstat(id.String()); e == nil && errors.Is(err, fs.ErrPermission) {
		if insecure := s.checkDir(id, info, homeInfo); insecure != nil {
			return insecure
		}
	}
	return s.pathError(s.Dir(id), homeInfo, err)
}

// giveSlot hands a slot that root just made to the user it is for. Where slots have
// users a pending one stays root's, who alone pairs there.
func (s *Store) giveSlot(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID) error {
	user := IDs{UID: homeInfo.UID, GID: homeInfo.GID}
	if s.cfg.SlotUser != nil {
		user = *s.cfg.SlotUser
	}
	if s.euid != 0 || user.UID == 0 || s.cfg.SlotUser != nil && id.IsPending() {
		return nil
	}
	dir, err := home.OpenDir(id.String())
	if err != nil {
		return s.pathError(s.Dir(id), homeInfo, err)
	}
	defer func() { _ = dir.Close() }() // its entry is synced by the caller
	if info, err := dir.Stat(); err != nil || info.UID != 0 {
		return err
	}
	// The home's owner may have put another of root's directories in its place.
	if names, err := dir.Names(); err != nil || len(names) > 0 {
		return err
	}
	if err := dir.Chown(user.UID, user.GID); err != nil {
		return fmt.Errorf("give %s to uid %d: %w", s.Dir(id), user.UID, err)
	}
	return nil
}

// read returns a file of the slot after the strict checks; fs.ErrNotExist when
// there is none, errTooLong over limit bytes.
func (t *slot) read(name string, limit int64) ([]byte, atomicfile.Info, error) {
	return t.store.readStrict(t.dir, t.info, filepath.Join(t.path, name), name, limit)
}

func (s *Store) readStrict(dir atomicfile.Dir, dirInfo atomicfile.Info, path, name string, limit int64) ([]byte, atomicfile.Info, error) {
	f, err := dir.Open(name)
	if err != nil {
		if info, e := dir.Lstat(name); e == nil && errors.Is(err, fs.ErrPermission) {
			if insecure := s.checkFile(path, info, dirInfo); insecure != nil {
				return nil, info, insecure
			}
		}
		return nil, atomicfile.Info{}, s.pathError(path, dirInfo, err)
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err == nil {
		err = s.checkFile(path, info, dirInfo)
	}
	if err != nil {
		return nil, info, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errTooLong
	}
	if err != nil {
		return nil, info, fmt.Errorf("read %s: %w", path, err)
	}
	return data, info, nil
}

// write replaces a file of the slot durably. The caller holds the lock.
func (t *slot) write(name string, data []byte) error {
	if err := atomicfile.Write(t.dir, name, data); err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	if o := t.store.cfg.Observer; o != nil {
		o.Write()
	}
	return nil
}

// readHead returns the head and when it was written. errNoHead: never saved;
// ErrCorrupt also if a corrupt head was set aside and nothing was saved since.
func (t *slot) readHead() (head, time.Time, error) {
	data, info, err := t.read(headName, headLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, time.Time{}, t.absentHead()
	}
	if errors.Is(err, errTooLong) {
		return head{}, time.Time{}, fmt.Errorf("%s: %w: %w", t.headPath(), ErrCorrupt, errTooLong)
	}
	if err != nil {
		return head{}, time.Time{}, err
	}
	h, err := parseHead(data, t.id)
	if err != nil {
		return head{}, time.Time{}, fmt.Errorf("%s: %w", t.headPath(), err)
	}
	return h, info.ModTime, nil
}

func (t *slot) writeHead(h head) error {
	data, err := h.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", t.headPath(), err)
	}
	return t.write(headName, data)
}

func (t *slot) headPath() string { return filepath.Join(t.path, headName) }

// lock waits for the slot's lock: ErrBusy after 5 s or when ctx ends. It removes
// what an interrupted write left behind.
func (t *slot) lock(ctx context.Context) (unlock func(), err error) {
	lock, err := t.waitLock(ctx)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = lock.Close() } // nothing was written; twice does no harm
	if err := atomicfile.Clean(t.dir); err != nil {
		unlock()
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	return unlock, nil
}
