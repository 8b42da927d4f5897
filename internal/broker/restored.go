package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// restoredRetry is after how many seconds an agent tries again. Its owner is a person.
const restoredRetry = 20

// Mark is the progress of a database. A copy outside of the database tells a current database from
// one that was restored by hand (ADR 16).
type Mark struct {
	Epoch   string
	Changes int64 // number of rows that were ever written to an audit trail
}

// Mark is the current progress of the database.
func (b *Broker) Mark(ctx context.Context) (Mark, error) {
	m := Mark{Epoch: b.epoch}
	err := b.store.View(ctx, func(tx Tx) error {
		var err error
		m.Changes, _, err = metaInt(tx, metaChanges)
		return err
	})
	return m, err
}

// Changed gets a value after a change that affects Mark.
func (b *Broker) Changed() <-chan struct{} { return b.changed }

// NewEpoch makes a random name of an epoch.
func NewEpoch() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// loadEpoch reads the epoch of the database. It begins a new one if there is none yet, or if the
// database is behind the mark outside, which means that it was restored by hand.
func (b *Broker) loadEpoch(tx Tx, kept *Mark) error {
	epoch, err := tx.Meta(metaEpoch)
	if err != nil && !isNone(err) {
		return err
	}
	changes, _, err := metaInt(tx, metaChanges)
	if err != nil {
		return err
	}
	behind := kept != nil && epoch != "" && (kept.Epoch != epoch || kept.Changes > changes)
	if epoch != "" && !behind {
		b.epoch = epoch
		return nil
	}
	if behind {
		b.log.Warn("the database was put back from a copy: every account waits for its owner's next command", "changes", changes, "changes_before", kept.Changes)
	}
	b.epoch = NewEpoch()
	return tx.SetMeta(metaEpoch, b.epoch)
}

// countChange advances the mark.
func countChange(tx Tx) error {
	n, _, err := metaInt(tx, metaChanges)
	if err != nil {
		return err
	}
	return tx.SetMeta(metaChanges, strconv.FormatInt(n+1, 10))
}

// closedTo refuses every session of an account that was not opened in this epoch, because the
// database may be older than what the owner said since. Only an owner that names the epoch, and so
// knows of it, is admitted.
func (b *Broker) closedTo(tx Tx, account wallet.Wallet, role, epoch string) (*protocol.Problem, error) {
	if role == RoleOwner && epoch == b.epoch {
		return nil, nil //nolint:nilnil // it is not refused
	}
	a, err := tx.Account(account)
	if err != nil || a.Epoch == b.epoch {
		return nil, err
	}
	p := refuse(http.StatusServiceUnavailable, protocol.CodeRestored, "the broker was put back from a copy and waits for the owner's next command")
	p.RetryAfter = restoredRetry
	return p, nil
}

// OpenAccount ends the wait of an account after its database was restored. It gives access to what
// this database says, so it requires the owner's signature.
func (b *Broker) OpenAccount(ctx context.Context, c Credentials, body protocol.OpenAccount) error {
	if body.Epoch != b.epoch {
		return conflict("this is another epoch")
	}
	return b.asOwner(ctx, c, func(tx Tx, p principal) error {
		a, err := tx.Account(p.Account)
		if err != nil || a.Epoch == b.epoch {
			return err
		}
		if session.CheckProof(a.SigningKey, session.OpenText(p.Account, body.Epoch, p.hash), body.Proof) != nil {
			return denied("the proof is not by the owner's key")
		}
		if err := tx.SetAccountEpoch(p.Account, b.epoch); err != nil {
			return err
		}
		return b.record(tx, p.Account, protocol.AuditRow{Action: protocol.ActionReopened, Detail: "the account, after the database was put back"})
	})
}

// noted is a Store that reports every committed change.
type noted struct {
	Store
	changed chan<- struct{}
}

// Update implements Store.
func (n noted) Update(ctx context.Context, f func(Tx) error) error {
	if err := n.Store.Update(ctx, f); err != nil {
		return err
	}
	select {
	case n.changed <- struct{}{}:
	default: // there is a value already
	}
	return nil
}
