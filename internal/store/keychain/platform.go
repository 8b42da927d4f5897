package keychain

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/store"
)

// platform is how one operating system's keychain is probed.
type platform interface {
	// probe finds out the state once. It shows no prompt, starts no program, and returns when
	// ctx ends. bus is the address to hand to the child; empty where there is none.
	probe(ctx context.Context) (p store.Probe, bus string)
	// watch calls wake when the provider says that something changed, and once when it begins
	// to listen. It returns when ctx ends, or when there is nothing to listen to any more.
	// established is false if it could not listen at all.
	watch(ctx context.Context, wake func()) (established bool)
	maxValue() int
	// fits reports whether Put may hand such an entry to the child.
	fits(account, value string) bool
}

// entryStore reads and writes entries of the keychain, in the child. Errors:
// store.ErrKeychainAbsent, store.ErrTooBig, *store.UnavailableError; anything else is a
// refusal, whose text stays in the child, because it could quote the secret.
type entryStore interface {
	get(account string) ([]byte, error)
	put(account, value string) error
	// delete removes every entry of account; none is no error.
	delete(account string) error
}
