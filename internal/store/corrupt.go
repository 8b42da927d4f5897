package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	corruptPrefix = headName + ".corrupt-"
	// eraShift: after the n-th corrupt head generations start again at n<<eraShift,
	// above every generation that the lost head can have named.
	eraShift = 32
)

// absentHead tells a slot that was never saved from one whose corrupt head was set
// aside: corrupt is not absent, and must not lead to pairing.
func (t *slot) absentHead() error {
	n, err := t.lastCorrupt()
	if err != nil {
		return err
	}
	if n == 0 {
		return errNoHead
	}
	return fmt.Errorf("%s: %w: kept as %s%d", t.headPath(), ErrCorrupt, corruptPrefix, n)
}

// lastCorrupt is the highest number of a head that was set aside; 0 = none.
func (t *slot) lastCorrupt() (uint64, error) {
	names, err := t.dir.Names()
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", t.path, err)
	}
	var last uint64
	for _, name := range names {
		number, ok := strings.CutPrefix(name, corruptPrefix)
		if n, err := strconv.ParseUint(number, 10, 20); ok && err == nil {
			last = max(last, n)
		}
	}
	return last, nil
}

// setAside renames a corrupt head to the next free name and returns the number of
// the last one. The caller holds the lock.
func (t *slot) setAside() (uint64, error) {
	n, err := t.lastCorrupt()
	if err != nil {
		return 0, err
	}
	if _, err := t.dir.Lstat(headName); err != nil {
		return n, nil // done before
	}
	aside := corruptPrefix + strconv.FormatUint(n+1, 10)
	if err := t.dir.Rename(headName, aside); err != nil {
		return n, fmt.Errorf("set %s aside: %w", t.headPath(), err)
	}
	if err := t.dir.Sync(); err != nil {
		return n, fmt.Errorf("sync %s: %w", t.path, err)
	}
	t.store.cfg.Logger.Warn("corrupt session file set aside", "session_id", t.id.String(), "file", aside)
	return n + 1, nil
}

// reportCorrupt sets a corrupt head aside, if nobody repaired it meanwhile, and
// returns the error for the caller of Load.
func (t *slot) reportCorrupt(ctx context.Context, cause error) error {
	unlock, err := t.lock(ctx)
	if err != nil {
		return errors.Join(cause, err)
	}
	defer unlock()
	if _, _, err := t.readHead(); !errors.Is(err, ErrCorrupt) {
		return cause
	}
	if _, err := t.setAside(); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

// headToChange is the head that a save or delete starts from. A corrupt one is set
// aside; what it knew of the keychain is lost, so a fence takes its place, except
// in keychain mode, which would then have no way out. The caller holds the lock.
func (t *slot) headToChange(ctx context.Context) (head, error) {
	h, _, err := t.readHead()
	fresh := head{Version: headVersion, ID: t.id.String(), Where: BackendKeychain}
	switch {
	case errors.Is(err, errNoHead):
		return fresh, nil
	case !errors.Is(err, ErrCorrupt):
		return h, err
	}
	n, err := t.setAside()
	if err != nil {
		return head{}, err
	}
	fresh.Pending = n << eraShift // burnt, with all below it
	if s := t.store; s.keychainFor(t.id) && s.cfg.Mode == ModeAuto {
		fresh.Keychain = &keychainNote{InDoubt: s.newFence(operationPut, fresh.Pending, s.probeNow(ctx))}
	}
	return fresh, nil
}
