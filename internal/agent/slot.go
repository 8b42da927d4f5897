package agent

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// saveTime bounds one save; a stop of the daemon lets it end.
const saveTime = 15 * time.Second

// save changes the stored session: copy, write, and only then memory. It replaces
// nothing but the generation that is in memory; errSlotChanged: somebody was faster.
func (d *Daemon) save(ctx context.Context, change func(*session.Session)) error {
	d.slot.take()
	defer d.slot.give()
	s, info, _ := d.snapshot()
	if info.Generation == 0 {
		return errNotAdopted
	}
	change(&s)
	s.ManifestRevision = max(s.ManifestRevision, d.wordNow().revision)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	info, err := d.c.Store.SaveOver(ctx, d.id, info.Generation, s)
	if errors.Is(err, store.ErrStale) {
		return errSlotChanged
	}
	d.noteDisk(err)
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	d.setView(func(v *view) { v.session, v.info, v.head = s, info, info.Generation })
	d.noteInfo(info)
	return nil
}

// errNotAdopted: the session of an earlier version is in memory, but the store could
// not take it over yet; there is no slot of ours to change.
var errNotAdopted = errors.New("the session of an earlier version could not be stored yet")

// noteDisk names what is wrong with the card; nil clears it.
func (d *Daemon) noteDisk(err error) {
	readOnly, full := errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	detail := ""
	if d.left.Load() {
		readOnly, detail = true, "what the owner took away stays in "+words.FileCache+", and would be served after a restart without the broker"
	}
	d.c.Conditions.Set(condition.StateReadOnly, readOnly, detail)
	d.c.Conditions.Set(condition.NoSpace, full, "")
	d.diskBad.Store(readOnly || full)
	d.noteForeign(err)
}

// noteForeign names a file of the slot that kept it from being written. That it was mended is
// seen by notePermissions.
func (d *Daemon) noteForeign(err error) {
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		d.c.Conditions.SetHint(condition.SlotInsecure, insecure.Error(), insecure.Fix)
	}
}

// notePermissions names what is wrong with the slot's directory and files by now: a daemon may
// not touch them for hours, in which each reader of them has the session. It reads the
// directory and writes nothing. A load that was refused has named its own.
func (d *Daemon) notePermissions() {
	if d.again() {
		return
	}
	found, err := d.c.Store.Inspect(d.id, store.Probe{})
	switch {
	case err != nil || found.Err != nil && len(found.Insecure) == 0:
		return // a slot that cannot be examined now says nothing
	case len(found.Insecure) > 0:
		first := found.Insecure[0]
		d.c.Conditions.SetHint(condition.SlotInsecure, first.Error(), first.Fix)
		return
	}
	d.c.Conditions.Set(condition.SlotInsecure, false, "")
}

// reread loads the slot before the broker's word about its token is believed.
// errSlotChanged: the slot holds another session; store.ErrNoSession: none. A slot
// that cannot be read changes nothing.
func (d *Daemon) reread(ctx context.Context) error {
	mine, _, _ := d.snapshot()
	s, _, err := d.c.Store.Load(ctx, d.id)
	switch {
	case errors.Is(err, store.ErrNoSession):
		return err
	case err == nil && (!s.Token.Equal(mine.Token) || !s.DeviceKey.Equal(mine.DeviceKey)):
		return errSlotChanged
	}
	return nil
}

// entry is what the slot's directory says, without the keychain.
func (d *Daemon) entry() (store.Slot, bool) {
	slots, err := d.c.Store.List()
	if err != nil {
		return store.Slot{}, false
	}
	for _, s := range slots {
		if s.ID == d.id && s.Err == nil {
			return s, true
		}
	}
	return store.Slot{}, false
}

// replaced reports whether another program saved the slot since it was loaded, and looks at
// the slot's permissions. A save of our own that is under way is none.
func (d *Daemon) replaced() bool {
	if !d.slot.tryTake() {
		return false
	}
	defer d.slot.give()
	d.notePermissions()
	s, ok := d.entry()
	d.mu.RLock()
	defer d.mu.RUnlock()
	return ok && s.Generation != d.v.head
}

func (d *Daemon) endedWithin(t time.Duration) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return !d.v.endedAt.IsZero() && time.Since(d.v.endedAt) < t
}

// unsettled reports whether the keychain still has a step to take for this slot.
func (d *Daemon) unsettled() bool {
	if d.c.Keychain == nil || !d.loaded() {
		return false
	}
	_, info, _ := d.snapshot()
	return info.Backend == words.BackendFile || info.InDoubt
}

// reconcile takes that step and learns where the session is stored now: from the head, for a
// keychain that took the session may not answer when it is asked for it.
func (d *Daemon) reconcile(ctx context.Context) {
	d.slot.take()
	defer d.slot.give()
	ctx, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	if err := d.c.Store.ReconcileSlot(ctx, d.id); err != nil {
		d.c.Logger.Debug("reconcile", "error", err)
	}
	mine, info, _ := d.snapshot()
	s, ok := d.entry()
	if !ok || s.Generation == info.Generation && s.Backend == info.Backend && !info.InDoubt {
		d.noteInfo(info) // the keychain's state may have changed
		return
	}
	now, held := d.c.Store.Holds(d.id, mine)
	if !held {
		var kept session.Session
		var err error
		kept, now, err = d.c.Store.Load(ctx, d.id)
		held = err == nil && kept.Token.Equal(mine.Token) && kept.DeviceKey.Equal(mine.DeviceKey)
	}
	if !held {
		return // another session by now: the next save finds it stale
	}
	d.setView(func(v *view) { v.info, v.head = now, s.Generation })
	d.noteInfo(now)
}
