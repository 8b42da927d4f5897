// Package broker holds the rules of design 3: who may do what with accounts,
// pairings, sessions, manifests and records. It knows no HTTP and no database: it
// answers with the documents of package protocol, refuses with *protocol.Problem,
// and keeps its state behind the port Store. It never sees a token or a value:
// tokens arrive as their SHA-256, records as ciphertext.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Lives in seconds.
const (
	sessionLife  = 30 * 24 * 3600 // without renewal
	unusedLife   = 24 * 3600      // of an approval that nobody used
	setupLife    = 24 * 3600      // of a set-up token
	keptRetired  = 64             // earlier tokens of one session that are remembered
	eventsKept   = 45 * 24 * 3600 // ids of reported events
	pairingsKept = lookupKept     // seconds: pairings that nobody decided are known that long
)

// Config is what New needs. Now defaults to time.Now, Log to discarding.
type Config struct {
	Store   Store
	Now     func() time.Time
	Log     *slog.Logger
	Version string
	Kept    *Mark // how far this database had come when it was last served; nil: not known
}

// Broker decides. Its methods are safe for concurrent use.
type Broker struct {
	store   Store
	disk    *disk // below store
	now     func() time.Time
	log     *slog.Logger
	version string
	epoch   string

	challenges *challenges
	wake       *wake
	limits     *limits
	budget     *budget
	done       chan struct{}
	stop       sync.Once
	changed    chan struct{}

	clockStopped atomic.Bool // the clock jumped, as of the last sweep
}

// New reads or makes the epoch of the database and returns a Broker over it.
func New(ctx context.Context, c Config) (*Broker, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	changed := make(chan struct{}, 1)
	d := &disk{Store: c.Store, log: c.Log, fell: make(chan struct{}, 1)}
	b := &Broker{
		store: noted{d, changed}, disk: d, changed: changed, now: c.Now, log: c.Log, version: c.Version,
		challenges: newChallenges(), wake: newWake(), limits: newLimits(), budget: newBudget(), done: make(chan struct{}),
	}
	err := b.store.Update(ctx, func(tx Tx) error {
		if err := b.loadEpoch(tx, c.Kept); err != nil {
			return err
		}
		err := b.observeClock(tx)
		if u := (*Unwritable)(nil); errors.As(err, &u) {
			return nil // a broker whose disk is full serves what it has, after a restart too
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open broker: %w", err)
	}
	return b, nil
}

// Close ends every long poll at once; they answer `unavailable`. The store stays open.
func (b *Broker) Close() { b.stop.Do(func() { close(b.done) }) }

// Info says who answers and what time it has.
func (b *Broker) Info() protocol.Info {
	reason := b.ReadOnly()
	return protocol.Info{Version: b.version, Epoch: b.epoch, Time: b.unix(), ReadOnly: reason != "", ReadOnlyReason: reason, ClockHeld: b.clockStopped.Load()}
}

func (b *Broker) unix() int64 { return b.now().Unix() }

// Stats counts for the metrics.
func (b *Broker) Stats(ctx context.Context) (Stats, error) {
	var out Stats
	err := b.store.View(ctx, func(tx Tx) error {
		var err error
		if out, err = tx.Stats(b.unix()); err != nil {
			return err
		}
		out.ClockHeld, err = b.clockHeld(tx)
		return err
	})
	out.WaitingPolls = b.wake.Count()
	return out, err
}
