package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store/slotdir"
	"github.com/agentkeys/agentkeys/internal/words"
)

const defaultKeychainTimeout = 2 * time.Second

// ErrConfig is wrapped by every error of New and ParseMode: a usage error (exit 64).
var ErrConfig = errors.New("the session store is set up wrongly")

// IDs are a user and group id.
type IDs = slotdir.IDs

// Observer is told what the store does, for metrics; every label has few values. Calls come
// from any goroutine and must not block.
type Observer interface {
	// StoreOperation: one call ended. operation is save, load, delete, promote or reconcile.
	StoreOperation(operation string, backend words.Backend, result words.StoreResult)
	// StoreFallback: auto mode saved to the file, for that reason.
	StoreFallback(reason string)
	// StateWrite: one file was written and synced.
	StateWrite()
}

// Config is what New needs. Only Home is required.
type Config struct {
	Home     string     // AGENTKEYS_HOME, absolute; made with the first save
	Mode     words.Mode // empty = ModeAuto
	Keychain Keychain   // nil = never used, as in ModeFile
	// KeychainTimeout bounds one keychain operation; 0 = 2 s.
	KeychainTimeout time.Duration
	// SlotUser is the user whose slots root works on; see slotdir.Config.
	SlotUser  *IDs
	FileLimit int64            // bytes of a state file (ReadFile, WriteFile); 0 = 8 MiB
	BootID    func() string    // names this boot of the machine; nil = ask the kernel
	Now       func() time.Time // nil = time.Now
	Logger    *slog.Logger     // nil = discard
	Observer  Observer         // nil = none
	FS        atomicfile.FS    // nil = the machine's
}

// ParseMode reads AGENTKEYS_SESSION_STORE; empty is auto. Anything unknown is ErrConfig.
func ParseMode(text string) (words.Mode, error) {
	switch m := words.Mode(text); m {
	case "":
		return words.ModeAuto, nil
	case words.ModeAuto, words.ModeFile, words.ModeKeychain:
		return m, nil
	}
	return "", fmt.Errorf("session store %.32q, must be auto, file or keychain: %w", text, ErrConfig)
}

// Store keeps sessions under one home. It is safe for concurrent use, and several
// Stores, in several processes, may share a home.
type Store struct {
	slotdir.Files // the state files of the slots, and where the slots are
	cfg           Config
	home          *slotdir.Home

	mu       sync.Mutex
	attempts map[session.ID]*attempts // what Reconcile remembers, by slot
}

// New checks the configuration; it touches neither disk nor keychain.
func New(cfg Config) (*Store, error) {
	mode, err := ParseMode(string(cfg.Mode))
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(cfg.Home) {
		return nil, fmt.Errorf("home %.256q must be an absolute path: %w", cfg.Home, ErrConfig)
	}
	if mode == words.ModeKeychain && cfg.Keychain == nil {
		return nil, fmt.Errorf("session store keychain without a keychain: %w", ErrConfig)
	}
	cfg.Mode, cfg.Home = mode, filepath.Clean(cfg.Home)
	setDefaults(&cfg)
	home := slotdir.New(slotdir.Config{
		Home: cfg.Home, SlotUser: cfg.SlotUser, FileLimit: cfg.FileLimit,
		FS: cfg.FS, Written: written(cfg.Observer), Logger: cfg.Logger,
	})
	return &Store{Files: home.Files(), cfg: cfg, home: home, attempts: map[session.ID]*attempts{}}, nil
}

func written(o Observer) func() {
	if o == nil {
		return nil
	}
	return o.StateWrite
}

func setDefaults(cfg *Config) {
	if cfg.KeychainTimeout <= 0 {
		cfg.KeychainTimeout = defaultKeychainTimeout
	}
	if cfg.BootID == nil {
		cfg.BootID = bootID
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}

// keychainFor reports whether the keychain may hold the slot: never in file mode,
// never a pending slot.
func (s *Store) keychainFor(id session.ID) bool {
	return s.cfg.Keychain != nil && s.cfg.Mode != words.ModeFile && !id.IsPending()
}

// observe ends one public operation.
func (s *Store) observe(operation string, backend words.Backend, err error) {
	if s.cfg.Observer == nil {
		return
	}
	if backend == "" {
		backend = words.BackendNone
	}
	s.cfg.Observer.StoreOperation(operation, backend, result(err))
}

// result is the label of an error.
func result(err error) words.StoreResult {
	if err == nil {
		return words.ResultOK
	}
	for _, known := range []struct {
		err   error
		label words.StoreResult
	}{
		{ErrNoSession, words.ResultNoSession}, {ErrUnavailable, words.ResultUnavailable}, {ErrInDoubt, words.ResultInDoubt},
		{ErrInconsistent, words.ResultInconsistent}, {ErrTooBig, words.ResultTooBig}, {ErrInsecure, words.ResultInsecure},
		{ErrCorrupt, words.ResultCorrupt}, {ErrBusy, words.ResultBusy}, {ErrNewer, words.ResultNewer}, {ErrStale, words.ResultStale},
	} {
		if errors.Is(err, known.err) {
			return known.label
		}
	}
	return words.ResultError
}
