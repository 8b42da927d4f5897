package keychain

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/store"
)

// platform is one operating system's way to look at its keychain.
type platform interface {
	// look probes once: no prompt, nothing started, back when ctx ends. bus is the
	// address to hand to the child; empty where there is none.
	look(ctx context.Context) (p store.Probe, bus string)
	// watch calls poke when the provider says that something changed, and once as
	// soon as it listens. It returns when ctx ends (established does not matter then)
	// or when there is nothing to listen to any more.
	watch(ctx context.Context, poke func()) (established bool)
	maxValue() int
	// fits reports whether Put may hand such an entry to the child.
	fits(account, value string) bool
}

// vault is the keychain as the child sees it. Errors: store.ErrKeychainAbsent,
// store.ErrTooBig, *store.UnavailableError; anything else is a refusal whose text
// stays in the child.
type vault interface {
	get(account string) ([]byte, error)
	put(account, value string) error
	// delete removes every entry of account; none is no error.
	delete(account string) error
}
