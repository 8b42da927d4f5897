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
)

const defaultKeychainTimeout = 2 * time.Second

// ErrConfig is wrapped by every error of New and ParseMode: a usage error (exit 64).
var ErrConfig = errors.New("the session store is set up wrongly")

// IDs are a user and group id.
type IDs = slotdir.IDs

// Observer is told what the store does, for metrics; every label has few values. Calls come
// from any goroutine and must not block.
type Observer interface {
	// Operation: one call ended. operation is save, load, delete, promote or reconcile;
	// backend is keychain, file or none; result is ok or the name of the error (no_session,
	// busy, ...).
	Operation(operation, backend, result string)
	// Fallback: auto mode saved to the file, for that reason.
	Fallback(reason string)
	// Write: one file was written and synced.
	Write()
}

// Config is what New needs. Only Home is required.
type Config struct {
	Home     string   // AGENTKEYS_HOME, absolute; made with the first save
	Mode     Mode     // empty = ModeAuto
	Keychain Keychain // nil = never used, as in ModeFile
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
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return ModeAuto, nil
	case ModeAuto, ModeFile, ModeKeychain:
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
	if mode == ModeKeychain && cfg.Keychain == nil {
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
	return o.Write
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
	return s.cfg.Keychain != nil && s.cfg.Mode != ModeFile && !id.IsPending()
}

// observe ends one public operation.
func (s *Store) observe(operation string, backend Backend, err error) {
	if s.cfg.Observer == nil {
		return
	}
	if backend == "" {
		backend = BackendNone
	}
	s.cfg.Observer.Operation(operation, string(backend), result(err))
}

// result is the label of an error; anything unknown is "error".
func result(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []struct {
		err   error
		label string
	}{
		{ErrNoSession, "no_session"}, {ErrUnavailable, "unavailable"}, {ErrInDoubt, "in_doubt"},
		{ErrInconsistent, "inconsistent"}, {ErrTooBig, "too_big"}, {ErrInsecure, "insecure"},
		{ErrCorrupt, "corrupt"}, {ErrBusy, "busy"}, {ErrNewer, "newer"},
	} {
		if errors.Is(err, known.err) {
			return known.label
		}
	}
	return "error"
}
