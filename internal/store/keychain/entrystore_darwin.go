package keychain

import (
	"errors"
	"os/exec"

	keyring "github.com/zalando/go-keyring"

	"github.com/agentkeys/agentkeys/internal/store"
)

// maxEntries bounds a delete that finds an entry each time.
const maxEntries = 64

type loginKeychain struct{}

func openEntryStore(func(string) string) entryStore { return loginKeychain{} }

func (loginKeychain) get(account string) ([]byte, error) {
	value, err := keyring.Get(serviceName, account)
	if err != nil {
		return nil, securityError(err)
	}
	return []byte(value), nil
}

func (loginKeychain) put(account, value string) error {
	return securityError(keyring.Set(serviceName, account, value))
}

func (loginKeychain) delete(account string) error {
	for range maxEntries {
		err := keyring.Delete(serviceName, account)
		if errors.Is(err, keyring.ErrNotFound) {
			return nil
		}
		if err != nil {
			return securityError(err)
		}
	}
	return errRefused
}

func securityError(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return store.ErrKeychainAbsent
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return store.ErrTooBig
	case errors.As(err, &exit):
		return securityExitError(exit.ExitCode())
	}
	return errRefused
}
