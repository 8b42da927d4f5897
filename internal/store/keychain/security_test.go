package keychain_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/words"
)

// standIn is a `security` of the test's own.
func standIn(t *testing.T, script string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "security")
	if err := writeProgram(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

// writeProgram writes a file that is executed: no child of another test may inherit it
// open for writing, or it is busy (golang.org/issue/22315).
func writeProgram(path string, data []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, data, mode)
}

func TestTheMacOSProbeReadsTheExitCodeOfSecurity(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script string
		want   words.KeychainState
	}{
		"the entry is there":                {"exit 0", words.KeychainUnlocked},
		"44: no such entry, so it answers":  {"exit 44", words.KeychainUnlocked},
		"36: no interaction allowed":        {"exit 36", words.KeychainLocked},
		"51: authorisation failed":          {"exit 51", words.KeychainDenied},
		"128: the user cancelled":           {"exit 128", words.KeychainDenied},
		"37: no default keychain":           {"exit 37", words.KeychainNoCollection},
		"50: no such keychain":              {"exit 50", words.KeychainNoCollection},
		"53: not available in this session": {"exit 53", words.KeychainNoOwner},
		"an unknown code":                   {"exit 3", words.KeychainDenied},
		"a window that waits for a click":   {"sleep 60 & wait", words.KeychainHung},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, dir := standIn(t, `echo "$@" > "`+"$HOME"+`/asked"; `+tt.script)
			timeout := longTimeout
			if tt.want == words.KeychainHung {
				timeout = 5 * shortTimeout
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			begin := time.Now()
			p := keychain.ProbeSecurity(ctx, path, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")})
			wantState(t, p, tt.want)
			if took := time.Since(begin); took > timeout+slack {
				t.Errorf("took %v", took)
			}
			asked, err := os.ReadFile(filepath.Join(dir, "asked"))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(string(asked)); got != "find-generic-password -s agentkeys -a probe" {
				t.Errorf("asked %q: -w would ask for the secret, and for a click", got)
			}
			if p.Provider != "macos" || (p.State == words.KeychainUnlocked) != (p.Reason == "") {
				t.Errorf("probe %+v", p)
			}
		})
	}
	p := keychain.ProbeSecurity(t.Context(), "/nonexistent/security", nil)
	wantState(t, p, words.KeychainNoOwner)
}

func TestTheMacOSErrorOfAnOperationIsADecisionOfTheCaller(t *testing.T) {
	t.Parallel()
	if err := keychain.SecurityError(44); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Errorf("44: %v", err)
	}
	for code, want := range map[int]words.KeychainState{36: words.KeychainLocked, 51: words.KeychainDenied, 37: words.KeychainNoCollection, 1: words.KeychainDenied} {
		var unavailable *store.UnavailableError
		if err := keychain.SecurityError(code); !errors.As(err, &unavailable) || unavailable.State != want {
			t.Errorf("%d: %v, want %s", code, err, want)
		}
	}
}

func TestAMacOSValueFitsWhenGoKeyringsCommandIsBelow4096Bytes(t *testing.T) {
	t.Parallel()
	const wallet = "daemon-0x52908400098527886e0f7030069857d2e4169ee7"
	for name, tt := range map[string]struct {
		account string
		size    int
		want    bool
	}{
		"a wallet's largest value":          {wallet, keychain.MaxValueMacOS, true},
		"one byte more":                     {wallet, keychain.MaxValueMacOS + 1, false},
		"the longest account that fits":     {strings.Repeat("a", 52), keychain.MaxValueMacOS, true},
		"a command of exactly 4096":         {strings.Repeat("a", 53), keychain.MaxValueMacOS, false},
		"a longer account, a smaller value": {strings.Repeat("a", 64), keychain.MaxValueMacOS - 12, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := keychain.SecurityFits(tt.account, strings.Repeat("v", tt.size)); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
