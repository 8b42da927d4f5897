package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
)

// pendingLife is how long a pairing may lie there that nobody goes on with.
const pendingLife = 24 * time.Hour

// collect removes a pending slot that is older than 24 h and which no process holds,
// recoveries included: an approval unused for 24 h is void at the broker too. One
// that cannot be read is left to a person.
func (t *slot) collect(ctx context.Context) error {
	dead, err := t.isDead()
	if err != nil || !dead {
		return err
	}
	run, err := t.tryLock(runLockName)
	if errors.Is(err, ErrBusy) || errors.Is(err, fs.ErrNotExist) {
		return nil // in use, or removed by another process
	}
	if err != nil {
		return err
	}
	defer func() { _ = run.Close() }() // nothing was written; twice does no harm
	unlock, err := t.lock(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if dead, err := t.isDead(); err != nil || !dead {
		unlock()
		return err
	}
	if err := t.removeAll(func() { unlock(); _ = run.Close() }); err != nil { // see above
		return err
	}
	t.store.cfg.Logger.Info("dead pairing removed", "session_id", t.id.String())
	return nil
}

func (t *slot) isDead() (bool, error) {
	h, at, err := t.readHead()
	if errors.Is(err, errNoHead) {
		return t.store.cfg.Now().Sub(t.info.ModTime) > pendingLife, nil
	}
	if err != nil {
		return false, err
	}
	if t.store.cfg.Now().Sub(at) <= pendingLife {
		return false, nil
	}
	if _, err := session.Decode(h.Payload); err != nil {
		return false, fmt.Errorf("slot %s: %w: %w", t.id, ErrNewer, err)
	}
	return true, nil
}
