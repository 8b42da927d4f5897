package settings

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Bounds of keychain_timeout. With a shorter one a healthy keychain on a slow board looks
// hung; with a longer one a save takes longer than its callers wait.
const (
	minKeychainTimeout = 100 * time.Millisecond
	maxKeychainTimeout = time.Minute
)

func (r *raw) parse(canonicalURL func(string) (string, error)) (Settings, []error) {
	s := Settings{
		Broker: r.values["broker"], MetricsListen: r.values["metrics_listen"],
		Credentials: map[string][]access.Rule{},
	}
	var problems []error
	check := func(key string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: %s: %s: %w", ErrSettings, r.origins[key], key, err))
		}
	}
	var err error
	if s.Broker != "" {
		s.Broker, err = canonicalURL(s.Broker)
		check("broker", err)
	}
	s.SessionStore, err = oneOf(r.values["session_store"], words.ModeAuto, words.ModeFile, words.ModeKeychain)
	check("session_store", err)
	s.LogLevel, err = oneOf(r.values["log_level"], "debug", "info", "warn", "error")
	check("log_level", err)
	s.LogFormat, err = oneOf(r.values["log_format"], "text", "json")
	check("log_format", err)
	s.KeychainTimeout, err = ParseKeychainTimeout(r.values["keychain_timeout"])
	check("keychain_timeout", err)
	s.AllowRoot, err = boolean(r.values["allow_root"])
	check("allow_root", err)
	check("metrics_listen", listenAddress(s.MetricsListen))
	s.Allow, err = rules(strings.FieldsFunc(r.values["allow"], func(c rune) bool { return c == ',' }))
	check("allow", err)
	for service, texts := range r.services {
		key := "credentials." + service
		check(key, scope.CheckService(service))
		s.Credentials[service], err = rules(texts)
		check(key, err)
	}
	return s, problems
}

type valueError string

func (e valueError) Error() string { return string(e) }

func oneOf[T ~string](text string, known ...T) (T, error) {
	if slices.Contains(known, T(text)) {
		return T(text), nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return "", valueError(strconv.Quote(text) + " is none of " + strings.Join(names, ", "))
}

// ParseKeychainTimeout reads a duration like 2s, from 100 ms to a minute. The error repeats
// the text and names the bounds.
func ParseKeychainTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < minKeychainTimeout || d > maxKeychainTimeout {
		return 0, valueError(strconv.Quote(text) + " is no duration from 100ms to 1m")
	}
	return d, nil
}

func boolean(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, valueError(strconv.Quote(text) + " is neither true nor false")
	}
	return text == "true", nil
}

func listenAddress(text string) error {
	if text == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(text)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		return valueError(strconv.Quote(text) + " is no address like 127.0.0.1:9479")
	}
	return nil
}

func rules(texts []string) ([]access.Rule, error) {
	out := make([]access.Rule, 0, len(texts))
	for _, text := range texts {
		r, err := access.ParseRule(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
