package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Where versions that served one daemon only kept its session, whatever its wallet.
const (
	earlierMasterFile = "session.json" // in the home itself
	earlierDaemonFile = "session"
	earlierAccount    = "session"
)

// earlier is a copy that another program or version wrote, and where it is.
type earlier struct {
	session session.Session
	payload []byte
	file    string // name in the home; empty = none
	account string // keychain account; empty = none
}

// loadHeadless is Load for a slot that was never saved: it adopts what another program or
// an earlier version left. ErrNoSession: there is nothing. ErrUnavailable: the keychain may
// have something, and is locked or does not answer.
func (s *Store) loadHeadless(ctx context.Context, id session.ID) ([]byte, Info, error) {
	found, err := s.findEarlier(ctx, id)
	none := err == nil && len(found) == 0
	switch {
	case (none || errors.Is(err, ErrInconsistent)) && s.savedSince(id):
		return s.loadPayload(ctx, id)
	case none:
		return nil, Info{}, fmt.Errorf("slot %s: %w", id, ErrNoSession)
	case err != nil:
		return nil, Info{}, err
	}
	var payload []byte
	var info Info
	err = s.change(ctx, id, s.openOrMake, func(sl *slot) (err error) {
		payload, info, err = sl.adoptOrLoad(ctx, found)
		return err
	})
	return payload, info, err
}

// adoptOrLoad adopts what was found unless another process has adopted it first.
func (sl *slot) adoptOrLoad(ctx context.Context, found []earlier) ([]byte, Info, error) {
	h, at, err := sl.readHead()
	switch {
	case errors.Is(err, errNoHead):
		return sl.adopt(ctx, head{Version: headVersion, ID: sl.ID().String(), Where: words.BackendKeychain}, found)
	case err != nil:
		return nil, Info{}, err
	}
	return sl.payloadOf(ctx, h, at, sl.store.probeNow)
}

// savedSince reports whether there is a head by now. Another process wrote it after this one
// had found none: then an entry of this version in the keychain belongs to it, and where an
// earlier version's copy is gone, that process has adopted it.
func (s *Store) savedSince(id session.ID) bool {
	sl, err := s.open(id)
	if err != nil {
		return false
	}
	defer sl.Close()
	_, _, err = sl.readHead()
	return err == nil
}

// loadUnsaved is Load for a first save that was announced and then cut off. The caller holds
// the lock and knows that the keychain does not hold the value.
func (sl *slot) loadUnsaved(ctx context.Context, h head) ([]byte, Info, error) {
	if err := sl.absentHead(); !errors.Is(err, errNoHead) {
		return nil, Info{}, err
	}
	found, err := sl.store.findEarlier(ctx, sl.ID())
	if err != nil {
		return nil, Info{}, err
	}
	if len(found) == 0 {
		return nil, Info{}, fmt.Errorf("slot %s: %w", sl.ID(), ErrNoSession)
	}
	return sl.adopt(ctx, h, found)
}

// adopt saves the newest of the found sessions, and only then removes the old copies. If it
// cannot be saved (keychain mode, full disk) the caller gets the session nevertheless, and
// the next Load tries again.
func (sl *slot) adopt(ctx context.Context, h head, found []earlier) ([]byte, Info, error) {
	s := sl.store
	log := s.cfg.Logger.With("session_id", sl.ID().String())
	best := found[0]
	for _, e := range found[1:] {
		if e.session.CreatedAt > best.session.CreatedAt {
			best = e
		}
	}
	if best.file == "" && h.Keychain == nil {
		h.Keychain = &keychainNote{} // if the save goes to the file, the entry stays in the keychain
	}
	info, err := sl.save(ctx, h, value{payload: best.payload})
	if err == nil {
		err = sl.verifyHead(info)
	}
	if err != nil {
		log.Warn("earlier session not adopted yet", "error", err)
		return best.payload, Info{Backend: best.backend(), SavedAt: s.cfg.Now()}, nil
	}
	log.Info("earlier session adopted", "storage_backend", string(info.Backend))
	for _, e := range found {
		if err := s.removeEarlier(ctx, e); err != nil {
			log.Warn("copy of an earlier version not removed", "error", err)
		}
	}
	return best.payload, info, nil
}

func (e earlier) backend() words.Backend {
	if e.file != "" {
		return words.BackendFile
	}
	return words.BackendKeychain
}

// verifyHead reads the new head before anything old is removed. What the keychain holds was
// read back by the save.
func (sl *slot) verifyHead(info Info) error {
	h, _, err := sl.readHead()
	if err != nil {
		return err
	}
	if h.Generation != info.Generation || h.Where != info.Backend {
		return fmt.Errorf("slot %s: %w", sl.ID(), ErrInconsistent)
	}
	return nil
}

// findEarlier looks for the file of an earlier version, for its keychain entry, and for an
// entry under the slot's own account that another program wrote. Where the file was found,
// an error of the keychain is ignored. ErrUnavailable: the keychain is locked or does not
// answer, and may have an entry of this wallet. ErrInconsistent: there is an entry, but it is no session of
// another program.
func (s *Store) findEarlier(ctx context.Context, id session.ID) ([]earlier, error) {
	found, err := s.findEarlierFile(id)
	if err != nil || !s.keychainFor(id) {
		return found, err
	}
	entries, err := s.findEarlierEntries(ctx, id)
	if len(found) > 0 || errors.Is(err, ErrUnavailable) && !mayHold(id, err) {
		err = nil
	}
	return append(found, entries...), err
}

// mayHold reports whether the keychain that could not be read, for the reason err, may have an entry
// of id. A wallet's entry can be in a keychain that is locked or does not answer. In any other state,
// such as a machine without a session bus, a wallet that was mistyped must not look like an agent that
// waits for its keychain; and any other slot would have had a head.
func mayHold(id session.ID, err error) bool {
	_, daemon := id.Wallet()
	var u *UnavailableError
	return daemon && errors.As(err, &u) && (u.State == words.KeychainLocked || u.State == words.KeychainHung)
}

func (s *Store) findEarlierEntries(ctx context.Context, id session.ID) ([]earlier, error) {
	if p := s.probe(ctx); !p.State.Readable() {
		return nil, unavailable(p)
	}
	accounts := []string{id.String()}
	if id == session.Master() {
		accounts = []string{earlierAccount, id.String()}
	}
	var found []earlier
	for _, account := range accounts {
		text, err := s.get(ctx, account)
		if errors.Is(err, ErrKeychainAbsent) {
			continue
		}
		if err != nil {
			return found, err
		}
		v, payload, err := parseForeign(text)
		if err != nil { // of this version, with its head lost, or of something else
			return found, fmt.Errorf("keychain account %s has an entry, but the slot has no head: %w", account, ErrInconsistent)
		}
		found = append(found, earlier{session: v, payload: payload, account: account})
	}
	return found, nil
}

func (s *Store) findEarlierFile(id session.ID) ([]earlier, error) {
	name := earlierDaemonFile
	w, daemon := id.Wallet()
	if id == session.Master() {
		name = earlierMasterFile
	} else if !daemon {
		return nil, nil
	}
	data, err := s.home.ReadLoose(name, headLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, payload, err := parseForeign(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", s.home.LoosePath(name), ErrCorrupt, err)
	}
	if daemon && v.Wallet != w {
		return nil, nil
	}
	return []earlier{{session: v, payload: payload, file: name}}, nil
}

// removeEarlier leaves the entry under the slot's own account alone: the save has replaced
// it, or the note in the head says that something is there.
func (s *Store) removeEarlier(ctx context.Context, e earlier) error {
	if e.account == earlierAccount {
		return s.deleteEntry(ctx, e.account)
	}
	if e.file == "" {
		return nil
	}
	return s.home.RemoveLoose(e.file)
}
