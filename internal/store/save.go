package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
)

// Why auto mode used the file, besides the states of a keychain.
const (
	reasonInDoubt  = "in_doubt"
	reasonTooBig   = "too_big"
	reasonPut      = "put"
	reasonReadBack = "read_back"
	reasonNotSeen  = "not_seen"
)

// saveOperations is how many keychain operations a save may take the time of.
const saveOperations = 3

// Save makes v the slot's session and returns once that is durable. In auto mode a
// keychain that does not do its part costs nothing but a Fallback. On any error
// the slot holds the old session, or, if the commit itself was cut off, v.
//
// Errors: ErrBusy (try again), ErrInsecure, ErrNewer, ErrTooBig, session.ErrID; in
// keychain mode also ErrUnavailable and ErrInDoubt; anything else is the disk.
func (s *Store) Save(ctx context.Context, id session.ID, v session.Session) (Info, error) {
	info, err := s.changeTo(ctx, id, v, s.openOrMake, func(sl *slot, payload []byte) (Info, error) {
		h, err := sl.headToChange(ctx)
		if err != nil {
			return Info{}, err
		}
		return sl.put(ctx, h, payload)
	})
	s.observe("save", info.Backend, err)
	return info, err
}

// changeTo is how a call begins that makes v the session of a slot: v is encoded before
// anything is touched, and work gets its bytes under the lock.
func (s *Store) changeTo(
	ctx context.Context, id session.ID, v session.Session,
	open func(session.ID) (*slot, error), work func(sl *slot, payload []byte) (Info, error),
) (info Info, err error) {
	payload, err := v.Encode()
	if err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, fmt.Errorf("save %s: %w", id, err)
	}
	err = s.change(ctx, id, open, func(sl *slot) (err error) {
		info, err = work(sl, payload)
		return err
	})
	return info, err
}

// put stores payload as the next generation after h, in the keychain if that works
// and else in the file. The caller holds the lock.
func (sl *slot) put(ctx context.Context, h head, payload []byte) (Info, error) {
	if !sl.store.keychainFor(sl.ID()) {
		return sl.commitFile(h, h.next(), payload, "")
	}
	h, failed, err := sl.putKeychain(ctx, h, payload)
	if err != nil {
		return Info{}, err
	}
	if failed == nil {
		return sl.store.infoOf(h, sl.store.cfg.Now()), nil
	}
	if sl.store.cfg.Mode == ModeKeychain {
		return Info{}, fmt.Errorf("save %s: %w", sl.ID(), failed.err)
	}
	return sl.commitFile(h, h.next(), payload, failed.reason)
}

// failedPut says why the keychain does not hold the payload. The head that comes
// with it burns the generation if the keychain was tried.
type failedPut struct {
	reason string
	err    error // for the caller of keychain mode
	looked bool  // what failed was only the look before it
}

// putKeychain tries the keychain and returns the head as it stands then. An error
// is the disk's; the keychain's is a failedPut.
func (sl *slot) putKeychain(ctx context.Context, h head, payload []byte) (head, *failedPut, error) {
	s := sl.store
	if h.cutOff() {
		h = h.doubting("", s.newFence(operationPut, h.Pending, s.probeNow(ctx)))
	}
	if h.fence() != nil {
		return h, &failedPut{reason: reasonInDoubt, err: ErrInDoubt}, nil
	}
	v := value{generation: h.next(), payload: payload}
	text := v.encode()
	if limit := s.cfg.Keychain.MaxValue(); limit > 0 && len(text) > limit {
		return h, &failedPut{reason: reasonTooBig, err: ErrTooBig}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, saveOperations*s.cfg.KeychainTimeout)
	defer cancel()
	p := s.probeNow(ctx)
	if !p.State.Writable() {
		return h, &failedPut{reason: string(p.State), err: unavailable(p)}, nil
	}
	if h, failed, err := sl.lookAgain(ctx, h, p); failed != nil {
		return h, failed, err
	}
	intent := sl.intent(h, v, p)
	err := sl.writeHead(intent)
	if err != nil {
		return h, nil, err
	}
	if reason, failed := s.put(ctx, sl.ID(), text); failed != nil {
		intent, another := sl.sharpen(ctx, intent, p)
		if another && s.cfg.Mode == ModeKeychain { // else the commit to the file writes it down
			err = sl.writeHead(intent)
		}
		return intent, &failedPut{reason: reason, err: ErrInDoubt}, err
	}
	done := sl.committed(h, v, p)
	return done, nil, sl.writeHead(done)
}

// intent announces v before the keychain hears of it, and puts the fence up with
// it: a crash from here on leaves both.
func (sl *slot) intent(h head, v value, p Probe) head {
	h.Promoted = h.taken("")
	h.Pending, h.PendingSHA256, h.PendingPromoted = v.generation, digest(v.payload), sl.promoting
	return h.doubting(p.Provider, sl.store.newFence(operationPut, v.generation, p))
}

// lookAgain looks another time for an entry that was removed and seen to be gone: a
// look in the same breath as the delete proves less. If it shows, the delete was not
// done and may still be, on top of what is put now: then the fence goes up.
func (sl *slot) lookAgain(ctx context.Context, h head, p Probe) (head, *failedPut, error) {
	if !sl.standing(h.removed(), p) {
		return h, nil, nil
	}
	var away *UnavailableError
	_, err := sl.store.entry(ctx, sl.ID())
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return h, nil, nil
	case errors.As(err, &away):
		return h, &failedPut{string(away.State), err, true}, nil
	}
	h = h.doubting(p.Provider, h.removed())
	return h, &failedPut{reasonInDoubt, ErrInDoubt, true}, sl.writeHead(h)
}

// sharpen looks again who has the write that the fence is for: the provider may have
// been replaced since the probe. If nobody can be named now, only the end of the bus or
// of the boot ends the fence. It reports whether it is another fence, to be written.
func (sl *slot) sharpen(ctx context.Context, h head, before Probe) (sharp head, another bool) {
	if ctx.Err() != nil {
		return h, false
	}
	after := sl.store.probeNow(ctx)
	if after.BusID == "" {
		after.BusID = before.BusID
	}
	f := h.fence()
	if f.names(after) {
		return h, false
	}
	return h.doubting(after.Provider, sl.store.newFence(f.Operation, f.Generation, after)), true
}

// committed is the head of a value that was read back from the keychain.
func (sl *slot) committed(h head, v value, p Probe) head {
	return head{
		Version: headVersion, ID: sl.ID().String(), Generation: v.generation,
		Where: BackendKeychain, SHA256: digest(v.payload), Promoted: h.taken(sl.promoting),
		Keychain: &keychainNote{Provider: p.Provider, VerifiedAt: sl.store.cfg.Now().Unix()},
	}
}

// commitFile puts the payload into the head. The keychain's note stays: it may
// still hold an older or a burnt generation.
func (sl *slot) commitFile(h head, generation uint64, payload []byte, reason string) (Info, error) {
	s := sl.store
	done := head{
		Version: headVersion, ID: sl.ID().String(), Generation: generation,
		Where: BackendFile, Payload: payload, SHA256: digest(payload), Keychain: h.keptNote(),
		Promoted: h.taken(sl.promoting),
	}
	if err := sl.writeHead(done); err != nil {
		return Info{}, err
	}
	if reason != "" && s.cfg.Observer != nil {
		s.cfg.Observer.Fallback(reason)
	}
	info := s.infoOf(done, s.cfg.Now())
	info.Fallback = reason
	return info, nil
}

func (s *Store) infoOf(h head, at time.Time) Info {
	return Info{Backend: h.Where, Generation: h.Generation, InDoubt: h.fence() != nil, SavedAt: at}
}

func unavailable(p Probe) error { return &UnavailableError{State: p.State, Reason: p.Reason} }
