package store

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Probe is what was found out about the keychain by asking it for its state. Asking shows no
// prompt, starts no program and changes nothing.
type Probe struct {
	State    words.KeychainState
	Provider string // "gnome-keyring", "KeePassXC", "kwallet", "macos", or "unknown"
	BusID    string // DBus.GetId of the bus; empty on macOS
	Owner    string // unique name of the provider, ":1.42"; boot session on macOS
	Reason   string // one sentence for people; never a secret
	Seconds  float64
}

// Keychain is the port to the machine's keychain: service `agentkeys`, one entry
// per account. Every call is bounded by its context and by the adapter's own
// deadline (2 s by default), whichever is sooner.
//
// Get returns ErrKeychainAbsent when the provider says that no such entry exists.
// A Put or Delete that returned an error may still be done at any later time: the caller
// treats the slot as in doubt. One that returned nil may not have been done: the caller reads
// the entry back.
type Keychain interface {
	// Probe returns a result that is at most as old as the adapter's cache rule says.
	Probe(ctx context.Context) Probe
	// ProbeNow asks the keychain now.
	ProbeNow(ctx context.Context) Probe
	Get(ctx context.Context, account string) (string, error)
	Put(ctx context.Context, account, value string) error
	// Delete removes every item with exactly the attributes of account.
	Delete(ctx context.Context, account string) error
	// MaxValue is the largest value in bytes that Put takes; 0 means no limit.
	MaxValue() int
}
