package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
)

// pendingLife is how long a pending slot is kept that no program works with. An approval
// that was not used for 24 h is void at the broker too.
const pendingLife = 24 * time.Hour

// removeExpired removes a pending slot that is older than 24 h and that no process holds,
// a recovery's included. One that cannot be read is left to a person.
func (sl *slot) removeExpired(ctx context.Context) error {
	expired, err := sl.expired()
	if err != nil || !expired {
		return err
	}
	removed, err := sl.RemoveUnused(ctx, sl.expired)
	if removed {
		sl.store.cfg.Logger.Info("expired pairing removed", "session_id", sl.ID().String())
	}
	return err
}

func (sl *slot) expired() (bool, error) {
	h, at, err := sl.readHead()
	if errors.Is(err, errNoHead) {
		return sl.store.cfg.Now().Sub(sl.ModTime()) > pendingLife, nil
	}
	if err != nil {
		return false, err
	}
	if sl.store.cfg.Now().Sub(at) <= pendingLife {
		return false, nil
	}
	if _, err := session.Decode(h.Payload); err != nil {
		return false, fmt.Errorf("slot %s: %w: %w", sl.ID(), ErrNewer, err)
	}
	return true, nil
}
