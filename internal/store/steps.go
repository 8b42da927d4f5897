package store

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Why auto mode used the file, apart from the states of a keychain. They are values of
// Observer.Fallback and Info.Fallback.
const (
	reasonInDoubt  = string(words.ResultInDoubt)
	reasonTooBig   = string(words.ResultTooBig)
	reasonPut      = "put"
	reasonReadBack = "read_back"
	reasonNotSeen  = "not_seen"
)

// saveOperations is how many keychain operations a save may take the time of: the probe,
// the put, and the read that verifies it.
const saveOperations = 3

// keychainFailure says why the keychain does not hold the new value.
type keychainFailure struct {
	reason string // one of the reasons above, or a state of the keychain
	err    error  // what a caller in keychain mode gets

	// How far the save came. Before either of them nothing was asked of the keychain that
	// could fail again a moment later, such as a value that is too big.
	rechecked bool // an entry that was deleted was looked for once more, and that failed
	announced bool // the put was announced, so its generation is abandoned
}

// saveToKeychain does the steps of a save to the keychain and returns the head as it is
// then. An error is the disk's, and the head on the disk may be the one from before.
//
//	announce  write to the head that generation n is on its way, with a fence
//	put       hand n to the keychain
//	verify    read it back and compare
//	commit    write to the head that n is the present generation; the fence goes
//	abandon   where put or verify failed: n is never committed, the fence stays
func (sl *slot) saveToKeychain(ctx context.Context, h head, v value) (head, *keychainFailure, error) {
	s := sl.store
	if h.lacksFence() {
		h = h.withFence("", s.newFence(operationPut, h.Pending, s.probeNow(ctx)))
	}
	if h.fence() != nil {
		return h, &keychainFailure{reason: reasonInDoubt, err: ErrInDoubt}, nil
	}
	v.generation = h.next()
	if limit := s.cfg.Keychain.MaxValue(); limit > 0 && len(v.encode()) > limit {
		return h, &keychainFailure{reason: reasonTooBig, err: ErrTooBig}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, saveOperations*s.cfg.KeychainTimeout)
	defer cancel()
	p := s.probeNow(ctx)
	if !p.State.Writable() {
		return h, &keychainFailure{reason: string(p.State), err: unavailable(p)}, nil
	}
	if h, failure, err := sl.recheckDelete(ctx, h, p); failure != nil {
		return h, failure, err
	}
	h, err := sl.announce(h, v, p)
	if err != nil {
		return h, nil, err
	}
	if reason := sl.putAndVerify(ctx, v); reason != "" {
		h, err = sl.abandon(ctx, h, p)
		return h, &keychainFailure{reason: reason, err: ErrInDoubt, announced: true}, err
	}
	h, err = sl.commit(h, v, p)
	return h, nil, err
}

// recheckDelete looks once more for an entry that an earlier delete removed. Some clients
// that fail hide an entry, and say in the same moment that it was deleted; so one look right
// after a delete is not proof. If the entry shows now, the delete was not done and may still
// be, and would then remove what is about to be put: the fence is raised again, and the
// failure is ErrInDoubt.
func (sl *slot) recheckDelete(ctx context.Context, h head, p Probe) (head, *keychainFailure, error) {
	if !sl.standing(h.removed(), p) {
		return h, nil, nil
	}
	var away *UnavailableError
	_, err := sl.store.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return h, nil, nil
	case errors.As(err, &away):
		return h, &keychainFailure{reason: string(away.State), err: err, rechecked: true}, nil
	}
	h = h.withFence(p.Provider, h.removed())
	return h, &keychainFailure{reason: reasonInDoubt, err: ErrInDoubt, rechecked: true}, sl.writeHead(h)
}

// announce writes the intent to the head, before the keychain is asked for anything: which
// generation is on its way, and the digest of its payload. The fence is written with it, so
// a crash from here on leaves both. What the head committed before stays in force.
func (sl *slot) announce(h head, v value, p Probe) (head, error) {
	h.Promoted = h.promotedWith("")
	h.Pending, h.PendingSHA256, h.PendingPromoted = v.generation, digest(v.payload), v.promoted
	h = h.withFence(p.Provider, sl.store.newFence(operationPut, v.generation, p))
	return h, sl.writeHead(h)
}

// putAndVerify hands v to the keychain and reads it back. The reason is empty if the
// keychain shows v; otherwise the put is in doubt, and may still take effect at any time.
func (sl *slot) putAndVerify(ctx context.Context, v value) (reason string) {
	text := v.encode()
	if err := sl.store.put(ctx, sl.ID().String(), text); err != nil {
		return reasonPut
	}
	seen, err := sl.store.get(ctx, sl.ID().String())
	switch {
	case err == nil && seen == text:
		return ""
	case err == nil, errors.Is(err, ErrKeychainAbsent):
		return reasonNotSeen
	}
	return reasonReadBack
}

// commit writes that v, which the keychain was seen to hold, is the present generation.
func (sl *slot) commit(h head, v value, p Probe) (head, error) {
	h = head{
		Version: headVersion, ID: sl.ID().String(), Generation: v.generation,
		Where: words.BackendKeychain, SHA256: digest(v.payload), Promoted: h.promotedWith(v.promoted),
		Keychain: &keychainNote{Provider: p.Provider, VerifiedAt: sl.store.cfg.Now().Unix()},
	}
	return h, sl.writeHead(h)
}

// abandon gives up the generation that was announced in h. Its number is not used again, so
// a put that arrives late is recognised and never believed. The fence stays, and names who
// has the put now. In auto mode the caller writes the head next, with the payload in it, and
// the fence with it; in keychain mode this is the last write.
func (sl *slot) abandon(ctx context.Context, h head, before Probe) (head, error) {
	h, changed := sl.updateFence(ctx, h, before)
	if changed && sl.store.cfg.Mode == words.ModeKeychain {
		return h, sl.writeHead(h)
	}
	return h, nil
}

// commitToFile writes v into the head as the next generation. It needs no other step: the
// head is replaced at once. The note of the keychain stays in it, because an older or an
// abandoned generation may be there still.
func (sl *slot) commitToFile(h head, v value, reason string) (Info, error) {
	s := sl.store
	done := head{
		Version: headVersion, ID: sl.ID().String(), Generation: h.next(),
		Where: words.BackendFile, Payload: v.payload, SHA256: digest(v.payload), Keychain: h.noteToKeep(),
		Promoted: h.promotedWith(v.promoted),
	}
	if err := sl.writeHead(done); err != nil {
		return Info{}, err
	}
	if reason != "" && s.cfg.Observer != nil {
		s.cfg.Observer.StoreFallback(reason)
	}
	info := s.infoOf(done, s.cfg.Now())
	info.Fallback = reason
	return info, nil
}

func (s *Store) infoOf(h head, at time.Time) Info {
	return Info{Backend: h.Where, Generation: h.Generation, InDoubt: h.fence() != nil, SavedAt: at}
}

func unavailable(p Probe) error { return &UnavailableError{State: p.State, Reason: p.Reason} }
