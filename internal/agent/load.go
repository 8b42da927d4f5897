package agent

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// attempt loads the slot once and makes the outcome the daemon's state. Errors end
// the daemon: store.ErrNoSession, store.ErrBusy for a second daemon.
func (d *Daemon) attempt(ctx context.Context) error {
	if err := d.hold(); err != nil {
		return err
	}
	seen, _ := d.entry() // before the load: a save after it is one to be noticed
	s, info, err := d.c.Store.Load(ctx, d.id)
	if err == nil {
		if err := d.hold(); err != nil { // an adopted session made the directory just now
			return err
		}
		d.setView(func(v *view) { v.head = seen.Generation })
		d.adoptSession(s, info)
		return nil
	}
	if errors.Is(err, store.ErrNoSession) || ctx.Err() != nil {
		return err
	}
	d.notLoaded(err)
	d.followSettings()
	return nil
}

// notLoaded names why there is no session. What is in memory goes on being served.
func (d *Daemon) notLoaded(err error) {
	phase, reason := words.StateBlocked, err.Error()
	switch {
	case errors.Is(err, store.ErrUnavailable):
		phase, reason = words.StateWaitingForKeychain, "waiting for the keychain: "+keychainDetail(err)
	case errors.Is(err, store.ErrBusy):
		phase, reason = words.StateStarting, "the slot is in use by another program"
	}
	d.noteLoad(err)
	d.setWaiting(phase == words.StateWaitingForKeychain)
	d.setView(func(v *view) {
		v.again = v.loaded
		if !v.loaded {
			v.phase, v.reason = phase, reason
		}
	})
	if !d.loaded() {
		d.c.Observer.StorageBackend(words.BackendNone)
	}
}

// noteLoad sets the conditions of a load; nil clears them all.
func (d *Daemon) noteLoad(err error) {
	var state *store.UnavailableError
	locked := errors.As(err, &state) && state.State == words.KeychainLocked
	set := func(code condition.Code, is bool) {
		detail := ""
		switch {
		case is && locked:
			detail = state.Reason
		case is:
			detail = keychainDetail(err)
		}
		d.c.Conditions.Set(code, is, detail)
	}
	set(condition.KeychainLocked, locked)
	set(condition.KeychainUnavailable, !locked && errors.Is(err, store.ErrUnavailable))
	if !locked && errors.Is(err, store.ErrUnavailable) {
		d.c.Conditions.SetHint(condition.KeychainUnavailable, keychainDetail(err), d.c.KeychainHint)
	}
	set(condition.SlotInsecure, errors.Is(err, store.ErrInsecure))
	set(condition.SlotCorrupt, errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNewer))
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		d.c.Conditions.SetHint(condition.SlotInsecure, err.Error(), insecure.Fix)
	}
	if errors.Is(err, store.ErrNewer) {
		d.c.Conditions.SetHint(condition.SlotCorrupt, err.Error(), condition.HintUpgrade)
	}
	set(condition.SlotInconsistent, errors.Is(err, store.ErrInconsistent))
}

// keychainDetail is what the keychain said, without the way that its word came; of
// another error, all of it.
func keychainDetail(err error) string {
	var state *store.UnavailableError
	switch {
	case !errors.As(err, &state):
		return err.Error()
	case state.Reason == "":
		return string(state.State)
	}
	return string(state.State) + ", " + state.Reason
}

func (d *Daemon) setWaiting(waiting bool) {
	if d.c.Keychain != nil {
		d.c.Keychain.SetWaiting(waiting)
	}
}

func (d *Daemon) loaded() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.loaded
}

// adoptSession makes a loaded session the daemon's, with everything in it: token, keys,
// owner and broker. Another device key than the one in memory is another session:
// nothing of the old one is kept.
func (d *Daemon) adoptSession(s session.Session, info store.Info) {
	d.noteLoad(nil)
	d.setWaiting(false)
	s, at := d.keptAt(s)
	old, _, _ := d.snapshot()
	same := d.loaded() && old.DeviceKey.Equal(s.DeviceKey)
	dialed := d.connect(at, func(v *view) {
		v.session, v.bearer, v.info = s, s.Token, info
		v.loaded, v.parked, v.again = true, false, false
		if !same {
			v.manifest, v.etag, v.records = nil, "", map[string]held{}
			v.online, v.tried, v.lease = false, false, newLease(time.Now(), 0, 0)
		}
	})
	if !dialed {
		return
	}
	d.noteInfo(info)
	d.noteSession(s)
	if !same {
		d.card = card{}
		d.loadCache(s)
	}
}

// noteSession sets the conditions that the payload itself tells.
func (d *Daemon) noteSession(s session.Session) {
	d.c.Conditions.Set(condition.DeviceKeyMissing, !s.CanServe(), "")
	d.c.Conditions.Set(condition.SessionRevoked, s.Ended != nil, "")
	d.c.Conditions.Set(condition.CloneSuspected, false, "")
	d.c.Conditions.Set(condition.RenewalFailing, false, "")
	d.c.Conditions.Set(condition.SessionExpired, false, "")
}

// noteInfo tells metrics and conditions where the session lies.
func (d *Daemon) noteInfo(info store.Info) {
	s, _, _ := d.snapshot()
	d.c.Observer.Session(info.Generation, s.ExpiresAt())
	d.c.Observer.StorageBackend(info.Backend)
	d.c.Observer.StoreInDoubt(info.InDoubt)
	d.c.Conditions.Set(condition.StoreInDoubt, info.InDoubt, "")
	state := d.c.KeychainState()
	inKeychain := info.Backend == words.BackendKeychain // read already, but not at the next start
	d.c.Conditions.Set(condition.KeychainLocked, inKeychain && state == words.KeychainLocked, "the next start waits for it")
	d.c.Conditions.Set(condition.KeychainUnavailable, inKeychain && state != words.KeychainLocked && !state.Readable(), string(state))
	d.c.Conditions.Set(condition.FellBackToFile, info.Backend == words.BackendFile && couldHold(state), string(state))
}

// couldHold reports whether there is a keychain at all that the session might be
// in: a machine without one did not fall back.
func couldHold(state words.KeychainState) bool {
	switch state {
	case words.KeychainUnlocked, words.KeychainLocked, words.KeychainHung, words.KeychainDenied, words.KeychainPromptsOnWrite:
		return true
	}
	return false
}
