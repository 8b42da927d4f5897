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

// restoredRetry is when an agent asks again, in seconds; its owner is a person.
const restoredRetry = 20

// Mark is how far a database came. Kept outside of it, it tells a database that goes on
// from one that was put back (design 3, broker).
type Mark struct {
	Epoch   string
	Changes int64 // rows that were ever written to an audit trail
}

// Mark is how far the database is now.
func (b *Broker) Mark(ctx context.Context) (Mark, error) {
	m := Mark{Epoch: b.epoch}
	err := b.store.View(ctx, func(tx Tx) error {
		var err error
		m.Changes, _, err = metaInt(tx, metaChanges)
		return err
	})
	return m, err
}

// Changed is told after a change that Mark may show.
func (b *Broker) Changed() <-chan struct{} { return b.changed }

// NewEpoch draws the name of an epoch.
func NewEpoch() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// loadEpoch reads the epoch of the database, and begins a new one where there is none
// yet or the database is behind the mark that was kept outside: it was put back.
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

// countChange moves the mark.
func countChange(tx Tx) error {
	n, _, err := metaInt(tx, metaChanges)
	if err != nil {
		return err
	}
	return tx.SetMeta(metaChanges, strconv.FormatInt(n+1, 10))
}

// closedTo refuses everybody of an account that was not opened in this epoch: what is
// written here may be older than what the owner said since. Only an owner that names
// the epoch, and so knows of it, may go on.
func (b *Broker) closedTo(tx Tx, account wallet.Wallet, role, epoch string) (*protocol.Problem, error) {
	if role == RoleOwner && epoch == b.epoch {
		return nil, nil //nolint:nilnil // no refusal
	}
	a, err := tx.Account(account)
	if err != nil || a.Epoch == b.epoch {
		return nil, err
	}
	p := refuse(http.StatusServiceUnavailable, protocol.CodeRestored, "the broker was put back from a copy and waits for the owner's next command")
	p.RetryAfter = restoredRetry
	return p, nil
}

// OpenAccount ends the wait of an account after its database was put back. It gives
// access to what this database says, so it takes the owner's signature.
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

// noted tells of every change that was committed.
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
	default: // told already
	}
	return nil
}
