package agent

import (
	"errors"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// noteLoad sets the conditions of a load; nil clears them all.
func (s *slot) noteLoad(err error) {
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
		s.conditions.Set(code, is, detail)
	}
	set(condition.KeychainLocked, locked)
	set(condition.KeychainUnavailable, !locked && errors.Is(err, store.ErrUnavailable))
	if !locked && errors.Is(err, store.ErrUnavailable) {
		s.conditions.SetHint(condition.KeychainUnavailable, keychainDetail(err), s.keychainHint)
	}
	set(condition.SlotInsecure, errors.Is(err, store.ErrInsecure))
	set(condition.SlotCorrupt, errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNewer))
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		s.conditions.SetHint(condition.SlotInsecure, err.Error(), insecure.Fix)
	}
	if errors.Is(err, store.ErrNewer) {
		s.conditions.SetHint(condition.SlotCorrupt, err.Error(), condition.HintUpgrade)
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

// noteSession sets the conditions that the payload itself tells.
func (s *slot) noteSession(kept session.Session) {
	s.conditions.Set(condition.DeviceKeyMissing, !kept.CanServe(), "")
	s.conditions.Set(condition.SessionRevoked, kept.Ended != nil, "")
	s.conditions.Set(condition.CloneSuspected, false, "")
	s.conditions.Set(condition.RenewalFailing, false, "")
	s.conditions.Set(condition.SessionExpired, false, "")
}

// noteInfo tells metrics and conditions where the session is stored.
func (s *slot) noteInfo(info store.Info) {
	kept, _ := s.snapshot()
	s.observer.Session(info.Generation, kept.ExpiresAt())
	s.observer.StorageBackend(info.Backend)
	s.observer.StoreInDoubt(info.InDoubt)
	s.conditions.Set(condition.StoreInDoubt, info.InDoubt, "")
	state := s.keychainState()
	inKeychain := info.Backend == words.BackendKeychain // read already, but not at the next start
	s.conditions.Set(condition.KeychainLocked, inKeychain && state == words.KeychainLocked, "the next start waits for it")
	s.conditions.Set(condition.KeychainUnavailable, inKeychain && state != words.KeychainLocked && !state.Readable(), string(state))
	s.conditions.Set(condition.FellBackToFile, info.Backend == words.BackendFile && couldHold(state), string(state))
}

// notePermissions names what is wrong with the slot's directory and files by now: a daemon may
// not touch them for hours, in which each reader of them has the session. A load that was
// refused has named its own.
func (s *slot) notePermissions(found store.Facts) {
	switch {
	case s.unread, found.Err != nil && len(found.Insecure) == 0:
		return // a slot that cannot be examined now says nothing
	case len(found.Insecure) > 0:
		first := found.Insecure[0]
		s.conditions.SetHint(condition.SlotInsecure, first.Error(), first.Fix)
		return
	}
	s.conditions.Set(condition.SlotInsecure, false, "")
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
