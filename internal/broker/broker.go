// Package broker holds the broker's rules: who may do what with accounts, pairings, sessions,
// manifests and records (docs/spec/architecture.md#sessions-at-the-broker). It does not depend on
// HTTP or on a database: it answers with the documents of package protocol, refuses with
// *protocol.Problem, and keeps its state behind the port Store. It never sees a token or a value:
// it gets tokens as their SHA-256, and records as ciphertext.
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

// Lifetimes in seconds.
const (
	sessionLife  = 30 * 24 * 3600 // of a session without renewal
	unusedLife   = 24 * 3600      // of an approval that is not used
	setupLife    = 24 * 3600      // of a set-up token
	keptRetired  = 64             // earlier tokens that are remembered for a session
	eventsKept   = 45 * 24 * 3600 // ids of reported events
	pairingsKept = lookupKept     // of expired pairings without a decision
)

// Config is what New needs. Now defaults to time.Now, Log to discarding.
type Config struct {
	Store   Store
	Now     func() time.Time
	Log     *slog.Logger
	Version string
	Kept    *Mark // the progress of this database when it was last served; nil: not known
}

// Broker applies the rules. Its methods are safe for concurrent use.
type Broker struct {
	store   Store
	disk    *disk // wrapped by store
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

// New reads or makes the epoch of the database and returns a Broker that uses it.
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
			return nil // a broker whose disk is full serves reads, after a restart too
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open broker: %w", err)
	}
	return b, nil
}

// Close ends every long poll at once, with the answer `unavailable`. The store stays open.
func (b *Broker) Close() { b.stop.Do(func() { close(b.done) }) }

// Info is the broker's version, epoch, time and state.
func (b *Broker) Info() protocol.Info {
	reason := b.ReadOnly()
	return protocol.Info{Version: b.version, Epoch: b.epoch, Time: b.unix(), ReadOnly: reason != "", ReadOnlyReason: reason, ClockHeld: b.clockStopped.Load()}
}

func (b *Broker) unix() int64 { return b.now().Unix() }

// Stats are the counts for the metrics.
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
