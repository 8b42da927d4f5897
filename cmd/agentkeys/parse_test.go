package main

import (
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
)

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for text, want := range map[string]int64{
		"": 0, "24h": 1_800_000_000 - 86400, "0s": 1_800_000_000, "1700000000": 1_700_000_000,
		"2026-01-31": 1_769_817_600, "2026-01-31T12:00:00Z": 1_769_860_800, "2026-01-31T12:00:00+01:00": 1_769_857_200,
	} {
		if got, err := parseSince(text, now); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"yesterday", "-1h", "-5", "-0", "2026-13-01", " "} {
		if got, err := parseSince(bad, now); err == nil {
			t.Errorf("%q: accepted as %d", bad, got)
		}
	}
}

func FuzzParseEnv(f *testing.F) {
	f.Add("KEY=openrouter")
	f.Add("=x")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseEnv([]string{text})
		if err != nil {
			return
		}
		if len(list) != 1 || !envName.MatchString(list[0].name) || scope.CheckService(list[0].service) != nil {
			t.Fatalf("%q became %+v", text, list)
		}
		list[0].value = secret.New("v")
		environ, err := withValues([]string{list[0].name + "=old", "OTHER=x"}, list)
		if err != nil || len(environ) > 2 || environ[len(environ)-1] != list[0].name+"=v" {
			t.Fatalf("%q: %v", environ, err)
		}
	})
}

func FuzzParseSince(f *testing.F) {
	f.Add("24h")
	f.Add("2026-01-31")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseSince(text, time.Unix(1_800_000_000, 0)); err == nil && text != "" && strings.HasPrefix(text, "-") {
			t.Fatalf("%q: %d", text, got)
		}
	})
}
