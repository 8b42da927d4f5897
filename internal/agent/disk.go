package agent

import (
	"errors"
	"sync/atomic"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// disk is what is known of the file system of the slot: whether it takes writes. The slot
// and the cache tell it how each write ended; any goroutine may do so at any time.
type disk struct {
	conditions Conditions

	bad   atomic.Bool // the last write failed for the disk
	stale atomic.Bool // a cache from before the owner's last change could not be removed
}

// note names what is wrong with the disk; nil clears it.
func (d *disk) note(err error) {
	readOnly, full := errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	detail := ""
	if d.stale.Load() {
		readOnly, detail = true, "what the owner took away stays in "+words.FileCache+", and would be served after a restart without the broker"
	}
	d.conditions.Set(condition.StateReadOnly, readOnly, detail)
	d.conditions.Set(condition.NoSpace, full, "")
	d.bad.Store(readOnly || full)
	d.noteForeign(err)
}

// noteForeign names a file of the slot that kept it from being written. That it was mended is
// seen when the main loop looks at the slot.
func (d *disk) noteForeign(err error) {
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		d.conditions.SetHint(condition.SlotInsecure, insecure.Error(), insecure.Fix)
	}
}
