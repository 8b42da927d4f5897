package keychain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
)

// Get returns the value of account. Errors: store.ErrKeychainAbsent; store.ErrUnavailable
// with the state; the context's; anything else is a refusal or a child that could
// not be started. Only an entry with exactly our attributes counts.
func (k *Keychain) Get(ctx context.Context, account string) (string, error) {
	value, err := k.operate(ctx, request{Operation: opGet, Account: account})
	if err != nil {
		return "", err
	}
	return string(value), nil
}

// Put creates or replaces the entry of account. store.ErrTooBig: nothing was
// written. After any other error the write may still land.
func (k *Keychain) Put(ctx context.Context, account, value string) error {
	if !k.platform.fits(account, value) {
		return fmt.Errorf("keychain put %s, %d bytes: %w", account, len(value), store.ErrTooBig)
	}
	_, err := k.operate(ctx, request{Operation: opPut, Account: account, Value: []byte(value)})
	return err
}

// Delete removes every entry with exactly the attributes of account; nil when there
// was none. After an error it may still land.
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
		k.distrust()
	}
	return nil, fmt.Errorf("keychain %s %s: %w", req.Operation, req.Account, err)
}

func (k *Keychain) ask(ctx context.Context, req request) ([]byte, error) {
	bus, err := k.bus(ctx)
	if err != nil {
		return nil, err
	}
	if !acquire(ctx, k.working) {
		return nil, late(ctx, "another keychain operation is still under way")
	}
	defer func() { <-k.working }()
	deadline, _ := ctx.Deadline() // operate sets one
	req.Milliseconds = max(time.Until(deadline).Milliseconds(), 0) + 1
	a, err := spawn(ctx, k.cfg.Executable, environment(k.cfg.Env, bus), req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, late(ctx, "it did not answer in time")
	case err != nil:
		return nil, err
	}
	return a.Value, a.err()
}

// late is the error of a context that ended: a deadline says something of the
// keychain, a cancelled caller does not.
func late(ctx context.Context, reason string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &store.UnavailableError{State: store.StateHung, Reason: reason}
}

// bus is the address that the last look used; empty on macOS. Where that look got
// no address or no readable keychain, it is looked again and no child is started in vain.
func (k *Keychain) bus(ctx context.Context) (string, error) {
	s, _ := k.cached()
	if s.bus != "" || s.probe.State.Readable() {
		return s.bus, nil
	}
	p := k.ProbeNow(ctx)
	if ctx.Err() != nil {
		return "", late(ctx, "it did not answer in time")
	}
	if s, _ = k.cached(); s.bus != "" || p.State.Readable() {
		return s.bus, nil
	}
	return "", &store.UnavailableError{State: p.State, Reason: p.Reason}
}

// environment is all that the child inherits (design 2): the libraries it uses look
// at nothing else, and no variable of ours is shown to them. bus may be empty.
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
