package session

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// ErrID says that a text is no session id; a usage error (exit 64).
var ErrID = errors.New("a session id is master, daemon-<wallet>, pending-<32 hex>, or 1 to 64 of a-z 0-9 . _ -")

const (
	daemonPrefix  = "daemon-"
	pendingPrefix = "pending-"
)

var (
	customPattern  = regexp.MustCompile(`\A[a-z0-9][a-z0-9._-]{0,63}\z`)
	pendingPattern = regexp.MustCompile(`\Apending-[0-9a-f]{32}\z`)
)

// ID names one slot, the place where one session is stored. Only this package makes one, so
// an ID is always safe to use as one path element.
type ID struct{ name string }

// Master is the owner's slot.
func Master() ID { return ID{"master"} }

// DaemonID is the slot of an agent's session.
func DaemonID(w wallet.Wallet) ID { return ID{daemonPrefix + w.String()} }

// NewPendingID makes the id of a new slot for a pairing whose wallet is not known yet.
func NewPendingID() ID {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return ID{pendingPrefix + hex.EncodeToString(b[:])}
}

// ParseID accepts the forms of ErrID; a wallet in any case becomes canonical.
func ParseID(text string) (ID, error) {
	bad := func(err error) (ID, error) {
		return ID{}, fmt.Errorf("session id %q: %w", text[:min(len(text), 64)], err)
	}
	if w, ok := strings.CutPrefix(text, daemonPrefix); ok {
		parsed, err := wallet.Parse(w)
		if err != nil {
			return bad(fmt.Errorf("%w: %w", ErrID, err))
		}
		return DaemonID(parsed), nil
	}
	if strings.HasPrefix(text, pendingPrefix) {
		if !pendingPattern.MatchString(text) {
			return bad(ErrID)
		}
		return ID{text}, nil
	}
	if !customPattern.MatchString(text) || text == "session" || strings.Contains(text, "..") {
		return bad(ErrID)
	}
	return ID{text}, nil
}

// String is the name of the slot's directory and keychain account.
func (id ID) String() string { return id.name }

// IsZero reports whether no slot is named.
func (id ID) IsZero() bool { return id.name == "" }

// IsPending reports whether the slot belongs to a pairing in progress.
func (id ID) IsPending() bool { return strings.HasPrefix(id.name, pendingPrefix) }

// Wallet is the wallet of a daemon's slot; ok is false for any other.
func (id ID) Wallet() (w wallet.Wallet, ok bool) {
	text, ok := strings.CutPrefix(id.name, daemonPrefix)
	if !ok {
		return wallet.Wallet{}, false
	}
	w, err := wallet.Parse(text)
	return w, err == nil
}
