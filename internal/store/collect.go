package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
)

// pendingLife is how long a pairing may lie there that nobody goes on with.
const pendingLife = 24 * time.Hour

// collect removes a pending slot that is older than 24 h and which no process holds,
// recoveries included: an approval unused for 24 h is void at the broker too. One
// that cannot be read is left to a person.
func (sl *slot) collect(ctx context.Context) error {
	dead, err := sl.isDead()
	if err != nil || !dead {
		return err
	}
	removed, err := sl.RemoveUnused(ctx, sl.isDead)
	if removed {
		sl.store.cfg.Logger.Info("dead pairing removed", "session_id", sl.ID().String())
	}
	return err
}

func (sl *slot) isDead() (bool, error) {
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
