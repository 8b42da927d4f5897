package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every mistake in the settings of a wallet is named at once, by the commands that only look
// too: a daemon that runs would not start with them again.
func TestEveryMistakeInTheSettingsIsNamed(t *testing.T) {
	t.Parallel()
	_, _, pi, w := examined(t)
	d := pi.daemon(w)
	d.reaches("online")
	files := map[string]string{"daemon.toml": "borker = 'x'\nlog_level = 'loud'\n", w + ".toml": "metrics_listen = 5\nlog_format = 'xml'\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(pi.env["AGENTKEYS_CONFIG_DIR"], name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := pi.with("AGENTKEYS_KEYCHAIN_TIMEOUT", "99h")
	for _, args := range [][]string{
		{"status", "--wallet", w}, {"wait", "--wallet", w, "--timeout", "1s"}, {"run", "--wallet", w}, {"forget", "--wallet", w, "--yes"},
	} {
		r := m.run("", "agentkeys-daemon", args...)
		for _, want := range []string{"daemon.toml: unknown key borker", "log_level", w + ".toml: metrics_listen", "log_format", "AGENTKEYS_KEYCHAIN_TIMEOUT"} {
			if r.code != exitUsage || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "hint: man agentkeys-daemon.toml") {
				t.Errorf("%v: exit %d, %q is missing\n%s", args, r.code, want, r.stderr)
			}
		}
	}
}
