package store

import (
	"context"
	"errors"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

// errStillThere: the keychain deleted an entry without an error, but still shows it.
var errStillThere = errors.New("the keychain still shows what was deleted")

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
		return "", &UnavailableError{State: words.KeychainHung, Reason: "it did not answer a read in time"}
	}
	return "", &UnavailableError{State: words.KeychainDenied, Reason: "it refused a read"}
}

// entry is the slot's own value; errValue if the entry is no session.
func (s *Store) entry(ctx context.Context, id session.ID) (value, error) {
	text, err := s.get(ctx, id.String())
	if err != nil {
		return value{}, err
	}
	return parseValue(text)
}

// put hands an entry to the keychain. Neither nil nor an error says whether it is there.
func (s *Store) put(ctx context.Context, account, text string) error {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	return s.cfg.Keychain.Put(ctx, account, text)
}

// deleteEntry deletes an entry that was seen, and looks whether it is gone. Unless it
// returns nil the delete is in doubt.
func (s *Store) deleteEntry(ctx context.Context, account string) error {
	deleteCtx, cancel := s.bound(ctx)
	err := s.cfg.Keychain.Delete(deleteCtx, account)
	cancel()
	if err != nil && !errors.Is(err, ErrKeychainAbsent) {
		return err
	}
	_, err = s.get(ctx, account)
	switch {
	case errors.Is(err, ErrKeychainAbsent):
		return nil
	case err == nil:
		return errStillThere
	}
	return err
}
