package store

import "github.com/agentkeys/agentkeys/internal/session"

// Holds reports whether the head of a slot names exactly v as the present session, and
// where that is. It does not ask the keychain, and so answers while the keychain cannot be
// read. ok is false for another session, for none, and for a slot that cannot be read.
func (s *Store) Holds(id session.ID, v session.Session) (info Info, ok bool) {
	payload, err := v.Encode()
	if err != nil {
		return Info{}, false
	}
	sl, err := s.open(id)
	if err != nil {
		return Info{}, false
	}
	defer sl.Close()
	h, at, err := sl.readHead()
	if err != nil || h.Tombstone || h.SHA256 != digest(payload) {
		return Info{}, false
	}
	return s.infoOf(h, at), true
}
