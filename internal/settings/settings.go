// Package settings reads the settings of one daemon: defaults, then daemon.toml, then
// <wallet>.toml, then AGENTKEYS_* variables, then flags. The raw texts are parsed into values
// that need no further checks, and all problems are reported together
// (docs/spec/architecture.md#settings).
package settings

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/words"
)

// ErrSettings is wrapped by every problem. All but UnreadableError are usage errors (exit 64).
var ErrSettings = errors.New("settings")

// UnreadableError is a settings file that exists and cannot be read. It is no mistake in
// what a person typed, and it may go away. Is ErrSettings too.
type UnreadableError struct {
	Path string
	Err  error
}

func (e *UnreadableError) Error() string {
	return ErrSettings.Error() + ": " + e.Path + ": " + e.Err.Error()
}

// Is makes errors.Is(err, ErrSettings) true.
func (e *UnreadableError) Is(target error) bool { return target == ErrSettings }

// Unwrap gives the system's error.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Settings are the checked values.
type Settings struct {
	Broker          string // base URL; empty: the one that the session remembers
	SessionStore    words.Mode
	KeychainTimeout time.Duration // of one keychain operation
	Allow           []access.Rule
	AllowRoot       bool
	MetricsListen   string // TCP address; empty: none
	LogLevel        string // debug, info, warn, error
	LogFormat       string // text, json
	Credentials     map[string][]access.Rule
}

// Source says where the settings are. Flags holds only the flags that were given, by key.
type Source struct {
	Wallet   string // canonical; empty: no instance file
	Dir      string // the directory of daemon.toml, /etc/agentkeys
	Getenv   func(string) string
	Flags    map[string]string
	ReadFile func(path string) ([]byte, error) // ReadFile
	// CanonicalURL is a broker's URL in its one form, or says why a text is none, without
	// repeating it (brokerclient.CanonicalURL).
	CanonicalURL func(text string) (string, error)
}

// Origins says for each key where its value came from: `default`, a path, a
// variable's name, or `--flag`.
type Origins map[string]string

// Keys lists the settings in the order of the documents.
func Keys() []string {
	return []string{
		"broker", "session_store", "keychain_timeout", "allow", "allow_root",
		"metrics_listen", "log_level", "log_format",
	}
}

func defaults() raw {
	return raw{
		values: map[string]string{
			"broker": "", "session_store": string(words.ModeAuto), "keychain_timeout": "2s", "allow": "",
			"allow_root": "true", "metrics_listen": "", "log_level": "info", "log_format": "text",
		},
		services: map[string][]string{},
		origins:  Origins{},
	}
}

// Load reads all layers. The error joins every problem; each wraps ErrSettings and
// names its file, variable or flag.
func Load(src Source) (Settings, Origins, error) {
	r := defaults()
	for _, key := range Keys() {
		r.origins[key] = "default"
	}
	var problems []error
	if src.Dir != "" && !filepath.IsAbs(src.Dir) {
		problems = append(problems, problem("AGENTKEYS_CONFIG_DIR", "%q must be an absolute path", src.Dir))
	}
	for _, path := range src.files() {
		problems = append(problems, r.addFile(path, src.ReadFile)...)
	}
	r.addEnv(src.Getenv)
	problems = append(problems, r.addFlags(src.Flags)...)
	s, bad := r.parse(src.CanonicalURL)
	slices.SortStableFunc(bad, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // maps have no order
	if err := errors.Join(append(problems, bad...)...); err != nil {
		return Settings{}, nil, err
	}
	return s, r.origins, nil
}

func problem(where, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrSettings, where, fmt.Sprintf(format, args...))
}
