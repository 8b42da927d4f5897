package store

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Info describes the stored copy that a call returned or made.
type Info struct {
	Backend    words.Backend
	Generation uint64
	InDoubt    bool      // a fence stands: an earlier keychain operation may still be done
	Fallback   string    // Save only: why auto mode used the file; empty if it did not fall back
	SavedAt    time.Time // modification time of the head
}

// Slot is what List says of one slot.
type Slot struct {
	ID         session.ID
	Dir        string
	Generation uint64
	Backend    words.Backend
	Tombstone  bool
	Err        error // why the head cannot be read; the slot exists nevertheless
}
