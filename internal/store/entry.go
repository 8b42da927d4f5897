package store

import (
	"context"
	"errors"

	"github.com/agentkeys/agentkeys/internal/session"
)

// errNotSeen: the keychain took a write without an error, but does not show it.
var errNotSeen = errors.New("the keychain does not show what was written")

// bound gives one keychain operation its own deadline.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.cfg.KeychainTimeout)
}

func (s *Store) probe(ctx context.Context) Probe {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	return s.cfg.Keychain.Probe(ctx)
}

func (s *Store) probeNow(ctx context.Context) Probe {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	return s.cfg.Keychain.ProbeNow(ctx)
}

// get returns the text of an entry, ErrKeychainAbsent, or an ErrUnavailable.
func (s *Store) get(ctx context.Context, account string) (string, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	text, err := s.cfg.Keychain.Get(ctx, account)
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, ErrKeychainAbsent):
		return "", ErrKeychainAbsent
	case errors.Is(err, ErrUnavailable):
		return "", err
	case errors.Is(err, context.DeadlineExceeded):
		return "", &UnavailableError{State: StateHung, Reason: "it did not answer a read in time"}
	}
	return "", &UnavailableError{State: StateDenied, Reason: "it refused a read"}
}

// entry is the slot's own value; errValue if it is no session.
func (s *Store) entry(ctx context.Context, id session.ID) (value, error) {
	text, err := s.get(ctx, id.String())
	if err != nil {
		return value{}, err
	}
	return parseValue(text)
}

// put writes v and reads it back. Unless it returns nil the write is in doubt.
func (s *Store) put(ctx context.Context, id session.ID, text string) (reason string, err error) {
	putCtx, cancel := s.bound(ctx)
	err = s.cfg.Keychain.Put(putCtx, id.String(), text)
	cancel()
	if err != nil {
		return reasonPut, err
	}
	seen, err := s.get(ctx, id.String())
	switch {
	case err == nil && seen == text:
		return "", nil
	case err == nil, errors.Is(err, ErrKeychainAbsent):
		return reasonNotSeen, errNotSeen
	}
	return reasonReadBack, err
}

// remove deletes an entry that is there and looks whether it is gone. Unless it
// returns nil the delete is in doubt.
func (s *Store) remove(ctx context.Context, account string) error {
	delCtx, cancel := s.bound(ctx)
	err := s.cfg.Keychain.Delete(delCtx, account)
	cancel()
	if err != nil && !errors.Is(err, ErrKeychainAbsent) {
		return err
	}
	_, err = s.get(ctx, account)
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return nil
	case err == nil:
		return errNotSeen
	}
	return err
}
