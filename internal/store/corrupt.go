package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	corruptPrefix = words.FileHead + ".corrupt-"
	// eraShift: after the n-th corrupt head generations start again above n<<eraShift, which
	// is above every generation that the lost head can have named.
	eraShift = 32
)

// absentHead tells a slot that was never saved (errNoHead) from one whose corrupt head was
// set aside (ErrCorrupt). The second may have a session, and must not lead to pairing.
func (sl *slot) absentHead() error {
	n, err := sl.lastCorrupt()
	if err != nil {
		return err
	}
	if n == 0 {
		return errNoHead
	}
	return fmt.Errorf("%s: %w: kept as %s%d", sl.headPath(), ErrCorrupt, corruptPrefix, n)
}

// lastCorrupt is the highest number of a corrupt head that was set aside; 0 = none.
func (sl *slot) lastCorrupt() (uint64, error) {
	names, err := sl.Names()
	if err != nil {
		return 0, err
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

// setAside renames a corrupt head to the next free name, and returns the highest number
// that is in use then. The caller holds the lock.
func (sl *slot) setAside() (uint64, error) {
	n, err := sl.lastCorrupt()
	if err != nil {
		return 0, err
	}
	if !sl.Has(words.FileHead) {
		return n, nil // set aside before
	}
	aside := corruptPrefix + strconv.FormatUint(n+1, 10)
	if err := sl.Rename(words.FileHead, aside); err != nil {
		return n, fmt.Errorf("set a corrupt head aside: %w", err)
	}
	sl.store.cfg.Logger.Warn("corrupt session file set aside", "session_id", sl.ID().String(), "file", aside)
	return n + 1, nil
}

// reportCorrupt sets a corrupt head aside, unless another process has repaired it since, and
// returns the error for the caller of Load.
func (sl *slot) reportCorrupt(ctx context.Context, cause error) error {
	err := sl.Locked(ctx, func() error {
		if _, _, err := sl.readHead(); !errors.Is(err, ErrCorrupt) {
			return nil
		}
		_, err := sl.setAside()
		return err
	})
	if err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

// headToChange is the head that a save or delete starts from. A corrupt one is set aside,
// and what it knew of the keychain is lost with it: a put may be in doubt. So in auto mode a
// fence takes its place. In keychain mode that would refuse every save from then on, so there
// it does not. The caller holds the lock.
func (sl *slot) headToChange(ctx context.Context) (head, error) {
	h, _, err := sl.readHead()
	fresh := head{Version: headVersion, ID: sl.ID().String(), Where: words.BackendKeychain}
	switch {
	case errors.Is(err, errNoHead):
		return fresh, nil
	case !errors.Is(err, ErrCorrupt):
		return h, err
	}
	n, err := sl.setAside()
	if err != nil {
		return head{}, err
	}
	fresh.Pending = n << eraShift // so the next generation is above it
	if s := sl.store; s.keychainFor(sl.ID()) && s.cfg.Mode == words.ModeAuto {
		fresh.Keychain = &keychainNote{InDoubt: s.newFence(operationPut, fresh.Pending, s.probeNow(ctx))}
	}
	return fresh, nil
}
