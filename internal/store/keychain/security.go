package keychain

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	// securityMaxValue keeps go-keyring's command for an account of up to 52 bytes
	// below 4096 bytes, where `security -i` fails with success (zalando/go-keyring#153).
	securityMaxValue   = 2985
	securityMaxCommand = 4095

	// probeAccount is an account that never has an entry.
	probeAccount = "probe"
)

// security is macOS's command of that name. A test gives the path of another program.
type security struct {
	path string
	env  []string
}

// probe asks for the attributes of an entry (without -w), which needs no permission and opens
// no window.
func (s security) probe(ctx context.Context) store.Probe {
	cmd := command(ctx, s.path, s.env, "find-generic-password", "-s", serviceName, "-a", probeAccount)
	state, reason := securityState(ctx, runLocked(cmd))
	return store.Probe{State: state, Provider: words.ProviderMacOS, Reason: reason}
}

// securityState is the state that the outcome of a `security` command means. Its exit code is
// the low byte of the OSStatus: errSecItemNotFound, which is -25300, becomes 44.
func securityState(ctx context.Context, err error) (words.KeychainState, string) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return words.KeychainUnlocked, ""
	case ctx.Err() != nil:
		return words.KeychainHung, "security did not answer in time"
	case !errors.As(err, &exit):
		return words.KeychainNoOwner, "the command security cannot be started"
	}
	return securityExit(exit.ExitCode())
}

func securityExit(code int) (words.KeychainState, string) {
	switch code {
	case 44: // errSecItemNotFound
		return words.KeychainUnlocked, ""
	case 36: // errSecInteractionNotAllowed
		return words.KeychainLocked, "the login keychain is locked, or there is no login session"
	case 51: // errSecAuthFailed
		return words.KeychainDenied, "the login keychain refuses this program"
	case 128: // errSecUserCanceled
		return words.KeychainDenied, "access to the login keychain was refused by the user"
	case 37, 49, 50: // errSecNoDefaultKeychain, errSecInvalidKeychain, errSecNoSuchKeychain
		return words.KeychainNoCollection, "there is no default keychain"
	case 53: // errSecNotAvailable
		return words.KeychainNoOwner, "no keychain is available in this session"
	}
	return words.KeychainDenied, fmt.Sprintf("security ended with code %d", code)
}

// securityExitError is the error of an operation whose `security` ended with code.
func securityExitError(code int) error {
	state, reason := securityExit(code)
	if state == words.KeychainUnlocked {
		return store.ErrKeychainAbsent
	}
	return &store.UnavailableError{State: state, Reason: reason}
}

// securityFits measures the command that go-keyring will write to `security -i`.
func securityFits(account, value string) bool {
	const (
		head   = len("add-generic-password -U -s " + serviceName + " -a ")
		middle = len(" -w go-keyring-base64:")
	)
	encoded := (len(value) + 2) / 3 * 4
	return len(value) <= securityMaxValue && head+len(account)+middle+encoded+len("\n") <= securityMaxCommand
}
