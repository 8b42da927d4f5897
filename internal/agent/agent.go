// Package agent is the daemon's work without its surroundings: it keeps one wallet's
// session alive, its credentials in step with the broker and its callers served. The
// loops talk to the world only through the ports of this file; time is the runtime's,
// so tests run them in testing/synctest bubbles. Package enroll below it makes the
// session in the first place.
package agent

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Errors that a step of the link ends with. The link decides by them.
var (
	// errSlotChanged: another program saved the slot. The link ends, and the main loop loads it again.
	errSlotChanged = errors.New("the slot was saved by another program")
	// errParked: the broker suspects a copy of this slot. What is in memory is served on.
	errParked = errors.New("two devices hold this session")
	// errEnded: the broker ended the session.
	errEnded = errors.New("the owner ended this session")
)

// Broker is what a paired daemon asks of its broker. Errors are *protocol.Problem
// for the broker's own word, and wrap protocol.ErrUnreachable (with
// protocol.ErrCertificate where TLS was refused) for everything else.
type Broker interface {
	Session(ctx context.Context, token secret.String) (protocol.SessionInfo, error)
	Renew(ctx context.Context, token secret.String, body protocol.Renew) (protocol.SessionInfo, error)
	Resume(ctx context.Context, body protocol.Resume) (protocol.SessionInfo, error)
	Record(ctx context.Context, token secret.String, w wallet.Wallet, service string) (protocol.SealedRecord, error)
	// Sync returns nil when nothing changed since etag within wait.
	Sync(ctx context.Context, token secret.String, etag string, wait time.Duration) (*protocol.Sync, string, error)
	Report(ctx context.Context, token secret.String, body protocol.Report) error
}

// Store is the slots as a running daemon needs them (internal/store).
type Store interface {
	Load(ctx context.Context, id session.ID) (session.Session, store.Info, error)
	// SaveOver saves only over the generation that the caller knows: store.ErrStale.
	SaveOver(ctx context.Context, id session.ID, generation uint64, v session.Session) (store.Info, error)
	List() ([]store.Slot, error)
	Inspect(id session.ID, p store.Probe) (store.Facts, error)
	// Holds: the slot's head names v; known without the keychain.
	Holds(id session.ID, v session.Session) (info store.Info, ok bool)
	ReconcileSlot(ctx context.Context, id session.ID) error
	HoldRun(id session.ID) (release func(), err error)
	Files
}

// Files are what a daemon keeps in its slot next to the session. They hold no secret in
// plain text.
type Files interface {
	ReadFile(id session.ID, name string) ([]byte, error) // fs.ErrNotExist: there is none
	WriteFile(id session.ID, name string, data []byte) error
	RemoveFile(id session.ID, name string) error
}

// Keychain is what a waiting daemon needs of the keychain's background task.
type Keychain interface {
	SetWaiting(bool)
	Changed() <-chan struct{} // the state may have changed
}

// Conditions keeps what is wrong now, for people and metrics.
type Conditions interface {
	Set(code condition.Code, active bool, detail string)
	SetHint(code condition.Code, detail, hint string) // holds, with a hint of its own
	Active() []health.Active
}

// Observer counts; calls must not block.
type Observer interface {
	Session(generation uint64, expiresAt int64)
	StorageBackend(backend words.Backend)
	StoreInDoubt(bool)
	Renewal(result string)
	BrokerUp(bool)
	Synced(unix int64)
	Credentials(n int)
	Lease(used, allowed time.Duration)
}
