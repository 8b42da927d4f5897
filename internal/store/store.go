package store

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/session"
)

// Mode is AGENTKEYS_SESSION_STORE.
type Mode string

// The modes. ModeFile never touches the keychain; ModeKeychain never writes a payload to a file.
const (
	ModeAuto     Mode = "auto"
	ModeFile     Mode = "file"
	ModeKeychain Mode = "keychain"
)

// Backend is where the payload of a slot is.
type Backend string

// The backends; BackendNone is a slot without a session.
const (
	BackendKeychain Backend = "keychain"
	BackendFile     Backend = "file"
	BackendNone     Backend = "none"
)

// Info describes the stored copy that a call returned or made.
type Info struct {
	Backend    Backend
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
	Backend    Backend
	Tombstone  bool
	Err        error // why the head cannot be read; the slot exists nevertheless
}
