package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/session"
)

// What single-daemon versions used, for whichever wallet the session names.
const (
	earlierMasterFile = "session.json" // in the home itself
	earlierDaemonFile = "session"
	earlierAccount    = "session"
)

// earlier is a copy that another program or version wrote, and where it lies.
type earlier struct {
	session session.Session
	payload []byte
	file    string // name in the home; empty = none
	account string // keychain account; empty = none
}

// loadHeadless answers for a slot that was never saved: it adopts what is found
// elsewhere, or says ErrNoSession, or that nobody can know now.
func (s *Store) loadHeadless(ctx context.Context, id session.ID) ([]byte, Info, error) {
	found, err := s.findEarlier(ctx, id)
	if errors.Is(err, ErrInconsistent) && s.savedMeanwhile(id) {
		return s.loadPayload(ctx, id)
	}
	if err != nil {
		return nil, Info{}, err
	}
	if len(found) == 0 {
		return nil, Info{}, fmt.Errorf("slot %s: %w", id, ErrNoSession)
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
		return sl.adopt(ctx, head{Version: headVersion, ID: sl.ID().String(), Where: BackendKeychain}, found)
	case err != nil:
		return nil, Info{}, err
	}
	return sl.payloadOf(ctx, h, at, sl.store.probeNow)
}

// savedMeanwhile: there is a head by now, so an entry of ours in the keychain is its.
func (s *Store) savedMeanwhile(id session.ID) bool {
	sl, err := s.open(id)
	if err != nil {
		return false
	}
	defer sl.Close()
	_, _, err = sl.readHead()
	return err == nil
}

// loadUnsaved answers for the intent of a first save that came to nothing. The
// caller holds the lock and knows that the keychain does not hold the value.
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

// adopt saves the newest of the found sessions and only then removes old copies.
// If it cannot be saved (keychain mode, full disk) the session is good all the
// same, and is adopted next time.
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
		h.Keychain = &keychainNote{} // it stays there if the save goes to the file
	}
	info, err := sl.put(ctx, h, best.payload)
	if err == nil {
		err = sl.verify(info)
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

func (e earlier) backend() Backend {
	if e.file != "" {
		return BackendFile
	}
	return BackendKeychain
}

// verify reads the new head before anything old is removed; what the keychain
// holds was read back by put.
func (sl *slot) verify(info Info) error {
	h, _, err := sl.readHead()
	if err != nil {
		return err
	}
	if h.Generation != info.Generation || h.Where != info.Backend {
		return fmt.Errorf("slot %s: %w", sl.ID(), ErrInconsistent)
	}
	return nil
}

// findEarlier looks for the file of an earlier version, for its keychain entry, and
// for an entry of this very account by another program. A file in hand is enough:
// then the keychain's troubles do not matter. ErrUnavailable: a wallet's entry
// cannot be looked for. ErrInconsistent: there is an entry, but not such a one.
func (s *Store) findEarlier(ctx context.Context, id session.ID) ([]earlier, error) {
	found, err := s.findEarlierFile(id)
	if err != nil || !s.keychainFor(id) {
		return found, err
	}
	entries, err := s.findEarlierEntries(ctx, id)
	if _, daemon := id.Wallet(); len(found) > 0 || !daemon && errors.Is(err, ErrUnavailable) {
		err = nil // only a wallet's slot is named by somebody who had a session for it
	}
	return append(found, entries...), err
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
		if err != nil { // ours of a lost head, or something else: not nothing
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

// removeEarlier leaves the slot's own account alone: the save replaced it, or the
// head remembers that something is there.
func (s *Store) removeEarlier(ctx context.Context, e earlier) error {
	if e.account == earlierAccount {
		return s.remove(ctx, e.account)
	}
	if e.file == "" {
		return nil
	}
	return s.home.RemoveLoose(e.file)
}
