package keychain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Get returns the value of account, from an entry with exactly our attributes. Errors:
// store.ErrKeychainAbsent; store.ErrUnavailable with the state; the context's; anything else
// is a refusal, or a child that could not be started.
func (k *Keychain) Get(ctx context.Context, account string) (string, error) {
	value, err := k.operate(ctx, request{Operation: opGet, Account: account})
	if err != nil {
		return "", err
	}
	return string(value), nil
}

// Put creates or replaces the entry of account. store.ErrTooBig: nothing was written. After
// any other error it may still be done later.
func (k *Keychain) Put(ctx context.Context, account, value string) error {
	if !k.platform.fits(account, value) {
		return fmt.Errorf("keychain put %s, %d bytes: %w", account, len(value), store.ErrTooBig)
	}
	_, err := k.operate(ctx, request{Operation: opPut, Account: account, Value: []byte(value)})
	return err
}

// Delete removes every entry with exactly the attributes of account; nil when there
// was none. After an error it may still be done later.
func (k *Keychain) Delete(ctx context.Context, account string) error {
	_, err := k.operate(ctx, request{Operation: opDelete, Account: account})
	return err
}

func (k *Keychain) operate(caller context.Context, req request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(caller, k.cfg.Timeout)
	defer cancel()
	value, err := k.ask(ctx, req)
	if err == nil || errors.Is(err, store.ErrKeychainAbsent) {
		return value, err
	}
	if caller.Err() != context.Canceled {
		k.expire()
	}
	return nil, fmt.Errorf("keychain %s %s: %w", req.Operation, req.Account, err)
}

func (k *Keychain) ask(ctx context.Context, req request) ([]byte, error) {
	bus, err := k.bus(ctx)
	if err != nil {
		return nil, err
	}
	if !acquire(ctx, k.working) {
		return nil, ended(ctx, "another keychain operation is still under way")
	}
	defer func() { <-k.working }()
	deadline, _ := ctx.Deadline() // operate sets one
	req.Milliseconds = max(time.Until(deadline).Milliseconds(), 0) + 1
	a, err := spawn(ctx, k.cfg.Executable, environment(k.cfg.Env, bus), req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ended(ctx, "it did not answer in time")
	case err != nil:
		return nil, err
	}
	return a.Value, a.err()
}

// ended is the error of a context that ended. A deadline that passed means that the keychain
// hangs; a cancellation by the caller says nothing of it.
func ended(ctx context.Context, reason string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &store.UnavailableError{State: words.KeychainHung, Reason: reason}
}

// bus is the address that the last probe used; empty on macOS. Where that probe found no bus
// and no keychain that can be read, this probes again, so that no child is started in vain.
func (k *Keychain) bus(ctx context.Context) (string, error) {
	s, _ := k.cached()
	if s.bus != "" || s.probe.State.Readable() {
		return s.bus, nil
	}
	p := k.ProbeNow(ctx)
	if ctx.Err() != nil {
		return "", ended(ctx, "it did not answer in time")
	}
	if s, _ = k.cached(); s.bus != "" || p.State.Readable() {
		return s.bus, nil
	}
	return "", &store.UnavailableError{State: p.State, Reason: p.Reason}
}

// environment is all that the child inherits: what the libraries that it uses read, and no
// variable of ours (docs/spec/architecture.md#keychain-adapter). bus may be empty.
func environment(getenv func(string) string, bus string) []string {
	env := make([]string, 0, 5)
	for _, name := range []string{"HOME", "PATH", "USER", runtimeVariable} {
		if v := getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	if bus != "" {
		env = append(env, busVariable+"="+bus)
	}
	return env
}
