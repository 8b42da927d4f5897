package slotdir

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
)

// defaultFileLimit is how many bytes a state file may have.
const defaultFileLimit = 8 << 20

// IDs are a user and group id.
type IDs struct{ UID, GID int }

// Config is what New needs. Only Home is required.
type Config struct {
	Home string // absolute path of the directory of all slots; made with the first slot
	// SlotUser is the user whose slots root works on: root gives new slots to that user, and
	// keeps pending ones to itself. A slot that exists keeps its owner. nil: root makes
	// slots of its own. Files in a slot go to the slot's owner either way.
	SlotUser  *IDs
	FileLimit int64         // bytes of a state file; 0 = 8 MiB
	FS        atomicfile.FS // nil = the machine's
	Written   func()        // called after each file that was written and synced; nil = nothing
	Logger    *slog.Logger  // nil = discard
}

// Home is the directory of all slots. It is safe for concurrent use, and several Homes, in
// several processes, may be of the same directory.
type Home struct {
	cfg  Config
	euid int
}

// New fills in the defaults of cfg and touches no disk.
func New(cfg Config) *Home {
	if cfg.FileLimit <= 0 {
		cfg.FileLimit = defaultFileLimit
	}
	if cfg.FS == nil {
		cfg.FS = atomicfile.System{}
	}
	if cfg.Written == nil {
		cfg.Written = func() {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Home{cfg: cfg, euid: os.Geteuid()}
}

// dir is the directory of a slot, whether or not it exists.
func (h *Home) dir(id session.ID) string { return filepath.Join(h.cfg.Home, id.String()) }

// open opens the home itself after its checks; fs.ErrNotExist where there is none.
func (h *Home) open() (atomicfile.Dir, atomicfile.Info, error) {
	dir, err := h.cfg.FS.OpenDir(h.cfg.Home)
	if err != nil {
		return nil, atomicfile.Info{}, h.openError(h.cfg.Home, err)
	}
	info, err := dir.Stat()
	if err == nil {
		err = checkHome(h.cfg.Home, info)
	}
	if err != nil {
		_ = dir.Close() // nothing was written
		return nil, info, err
	}
	return dir, info, nil
}

// Open opens the slot of id; fs.ErrNotExist where there is none. The caller closes it.
func (h *Home) Open(id session.ID) (*Slot, error) {
	if id.IsZero() {
		return nil, session.ErrID
	}
	dir, info, err := h.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // read only
	return h.openIn(dir, info, id)
}

// openIn is Open in a home that is open.
func (h *Home) openIn(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID) (*Slot, error) {
	dir, err := home.OpenDir(id.String())
	if err != nil {
		return nil, h.refusal(home, homeInfo, id, err)
	}
	info, err := dir.Stat()
	if err == nil {
		err = h.checkDir(id, info, homeInfo)
	}
	if err != nil {
		_ = dir.Close() // nothing was written
		return nil, err
	}
	return h.slot(id, dir, info), nil
}

func (h *Home) slot(id session.ID, dir atomicfile.Dir, info atomicfile.Info) *Slot {
	return &Slot{home: h, id: id, path: h.dir(id), dir: dir, info: info}
}

// refusal explains err, with which the directory of a slot could not be opened. Where it
// belongs to another user the answer is an InsecureError, which names the command that
// mends it.
func (h *Home) refusal(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID, err error) error {
	if info, e := home.Lstat(id.String()); e == nil && errors.Is(err, fs.ErrPermission) {
		if insecure := h.checkDir(id, info, homeInfo); insecure != nil {
			return insecure
		}
	}
	return h.pathError(h.dir(id), homeInfo, err)
}

// Make makes the home and the directory of id, where they do not exist, and opens it. Both
// are durable when it returns, even if another process made them and was cut off before its
// own sync.
func (h *Home) Make(id session.ID) (*Slot, error) {
	if err := h.cfg.FS.MakeDir(h.cfg.Home, h.mode()); err != nil {
		return nil, fmt.Errorf("make %s: %w", h.cfg.Home, err)
	}
	dir, info, err := h.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // synced by makeIn
	if err := h.makeIn(dir, info, id); err != nil {
		return nil, err
	}
	return h.openIn(dir, info, id)
}

// mode is that of a home that is made. Where root makes it for another user's slots, that
// user must be able to enter it.
func (h *Home) mode() fs.FileMode {
	if h.euid == 0 && h.cfg.SlotUser != nil {
		return 0o755
	}
	return 0o700
}

func (h *Home) makeIn(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID) error {
	if err := home.Mkdir(id.String()); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrPermission) {
			err = h.openError(h.cfg.Home, err)
		}
		return fmt.Errorf("make %s: %w", h.dir(id), err)
	}
	if err := h.giveAway(home, homeInfo, id); err != nil {
		return err
	}
	if err := home.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", h.cfg.Home, err)
	}
	return nil
}

// giveAway hands a slot that root just made to the user it is for. Where slots have a user
// of their own, a pending one stays root's, because only root pairs there.
func (h *Home) giveAway(home atomicfile.Dir, homeInfo atomicfile.Info, id session.ID) error {
	user := IDs{UID: homeInfo.UID, GID: homeInfo.GID}
	if h.cfg.SlotUser != nil {
		user = *h.cfg.SlotUser
	}
	if h.euid != 0 || user.UID == 0 || h.cfg.SlotUser != nil && id.IsPending() {
		return nil
	}
	dir, err := home.OpenDir(id.String())
	if err != nil {
		return h.pathError(h.dir(id), homeInfo, err)
	}
	defer func() { _ = dir.Close() }() // its entry is synced by the caller
	if info, err := dir.Stat(); err != nil || info.UID != 0 {
		return err
	}
	// The home's owner may have put another of root's directories in its place. One that
	// root just made is empty.
	if names, err := dir.Names(); err != nil || len(names) > 0 {
		return err
	}
	if err := dir.Chown(user.UID, user.GID); err != nil {
		return fmt.Errorf("give %s to uid %d: %w", h.dir(id), user.UID, err)
	}
	return nil
}
