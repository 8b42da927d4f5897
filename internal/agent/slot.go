package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// saveTime bounds one save; a stop of the daemon lets it end.
const saveTime = 15 * time.Second

// slot is the session of one wallet: the one that the store keeps, and the copy of it in
// memory that the loops work with. A change is copied, written, and only then remembered, so
// that memory never holds what a restart would not find. The exceptions are the token in use
// and the end of the session, which count although the disk may refuse them.
//
// It owns the run lock, the connection to the session's broker and the generation of the
// head that is known. It tells the view what callers may know, and never asks it. No
// goroutine runs in it:
//   - the main loop alone uses unread and calls load, needsReconcile, replaced and reconcile, and load
//     only while no link runs;
//   - the link alone calls save, reread, use and end;
//   - any goroutine may call snapshot, bearer, connection, keeper and loaded at any time.
//     These never wait for the disk, so a save that hangs holds up no caller.
type slot struct {
	wallet        wallet.Wallet
	id            session.ID
	store         Store
	dial          func(url string) (Broker, error)
	named         func() (url, from string)  // nil: no settings name a broker
	keychain      Keychain                   // nil: never used
	keychainState func() words.KeychainState // of the last probe
	keychainHint  string
	conditions    Conditions
	observer      Observer
	logger        *slog.Logger
	disk          *disk
	view          *view

	release func() // gives the run lock back; nil while it is not held
	unread  bool   // the last load failed while a session was in memory, which is served on
	turn    turn   // one save or reconcile at a time: they wait for the disk, mu does not

	mu      sync.RWMutex // guards what follows
	session session.Session
	info    store.Info
	token   secret.String // the token in use: session.Token, or Next where the disk refused the save
	broker  Broker        // of this session; nil while none is loaded
	at      protocol.StatusBroker
	head    uint64 // generation of the slot's head when it was loaded or saved
}

func newSlot(c Config, d *disk, v *view) *slot {
	return &slot{
		wallet: c.Wallet, id: session.DaemonID(c.Wallet), store: c.Store, dial: c.Dial, named: c.Named,
		keychain: c.Keychain, keychainState: c.KeychainState, keychainHint: c.KeychainHint,
		conditions: c.Conditions, observer: c.Observer, logger: c.Logger, disk: d, view: v, turn: newTurn(),
	}
}

// snapshot is the session as it is stored now.
func (s *slot) snapshot() (session.Session, store.Info) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.session, s.info
}

// bearer is the token in use.
func (s *slot) bearer() secret.String {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.token
}

// connection is the session's broker and the token in use, of one session whatever is
// loaded at the same time; nil while none is loaded.
func (s *slot) connection() (Broker, secret.String) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.broker, s.token
}

func (s *slot) loaded() bool {
	broker, _ := s.connection()
	return broker != nil
}

// use makes token the one in use. The slot holds it already, as its next one.
func (s *slot) use(token secret.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// end remembers, in memory, that the owner ended the session; callers are served nothing
// from now on. The caller saves it too, for the next start.
func (s *slot) end(ended *session.Ended) {
	s.mu.Lock()
	s.session.Ended = ended
	s.mu.Unlock()
	s.view.change(func(f *facts) { f.end(time.Now()) })
}

// save changes the stored session: copy, write, and only then memory. It replaces nothing
// but the generation that is in memory. errSlotChanged: another program saved first, so the
// slot is to be loaded again. errNotAdopted and every other error: memory is as it was.
func (s *slot) save(ctx context.Context, change func(*session.Session)) error {
	s.turn.take()
	defer s.turn.give()
	next, info := s.snapshot()
	if info.Generation == 0 {
		return errNotAdopted
	}
	change(&next)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	info, err := s.store.SaveOver(ctx, s.id, info.Generation, next)
	if errors.Is(err, store.ErrStale) {
		return errSlotChanged
	}
	s.disk.note(err)
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	s.mu.Lock()
	s.session, s.info, s.head = next, info, info.Generation
	s.mu.Unlock()
	s.view.change(func(f *facts) { f.session = factsOf(next, info) })
	s.noteInfo(info)
	return nil
}

// errNotAdopted: the session of an earlier version is in memory, but the store could
// not take it over yet; there is no slot of ours to change.
var errNotAdopted = errors.New("the session of an earlier version could not be stored yet")

// reread loads the slot before the broker's word about its token is believed.
// errSlotChanged: the slot holds another session; store.ErrNoSession: none. A slot
// that cannot be read changes nothing.
func (s *slot) reread(ctx context.Context) error {
	kept, _, err := s.store.Load(ctx, s.id)
	switch {
	case errors.Is(err, store.ErrNoSession):
		return err
	case err == nil && !s.holds(kept):
		return errSlotChanged
	}
	return nil
}

// holds reports whether kept is the session in memory: the same token of the same device.
func (s *slot) holds(kept session.Session) bool {
	mine, _ := s.snapshot()
	return kept.Token.Equal(mine.Token) && kept.DeviceKey.Equal(mine.DeviceKey)
}

// entry is what the slot's directory says, without the keychain.
func (s *slot) entry() (store.Slot, bool) {
	slots, err := s.store.List()
	if err != nil {
		return store.Slot{}, false
	}
	for _, e := range slots {
		if e.ID == s.id && e.Err == nil {
			return e, true
		}
	}
	return store.Slot{}, false
}

// replaced reports whether another program saved the slot since it was loaded, and looks at
// the slot's permissions. It reads the directory and writes nothing. A save of our own that
// is under way is none.
func (s *slot) replaced() bool {
	if !s.turn.tryTake() {
		return false
	}
	defer s.turn.give()
	found, err := s.store.Inspect(s.id, store.Probe{})
	if err != nil {
		return false
	}
	s.notePermissions(found)
	generation, ok := found.Generation, found.Saved
	if found.Err != nil { // possibly of another file than the head
		var e store.Slot
		e, ok = s.entry()
		generation = e.Generation
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ok && generation != s.head
}

// needsReconcile reports whether the keychain still has a step to take for this slot.
func (s *slot) needsReconcile() bool {
	if s.keychain == nil || !s.loaded() {
		return false
	}
	_, info := s.snapshot()
	return info.Backend == words.BackendFile || info.InDoubt
}

// reconcile takes that step and learns where the session is stored now: from the head, for
// a keychain that took the session may not answer when it is asked for it.
func (s *slot) reconcile(ctx context.Context) {
	s.turn.take()
	defer s.turn.give()
	ctx, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	if err := s.store.ReconcileSlot(ctx, s.id); err != nil {
		s.logger.Debug("reconcile", "error", err)
	}
	mine, info := s.snapshot()
	e, ok := s.entry()
	if !ok || e.Generation == info.Generation && e.Backend == info.Backend && !info.InDoubt {
		s.noteInfo(info) // the keychain's state may have changed
		return
	}
	now, held := s.store.Holds(s.id, mine)
	if !held {
		var kept session.Session
		var err error
		kept, now, err = s.store.Load(ctx, s.id)
		held = err == nil && s.holds(kept)
	}
	if !held {
		return // another session by now: the next save finds it stale
	}
	s.mu.Lock()
	s.info, s.head = now, e.Generation
	s.mu.Unlock()
	s.view.change(func(f *facts) { f.session.generation, f.session.backend = now.Generation, now.Backend })
	s.noteInfo(now)
}
