package cli_test

import (
	"bytes"
	"testing"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/test/pty"
)

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	terminal := pty.New(t, 80)
	for name, c := range map[string]struct {
		flag     string
		terminal bool
		env      map[string]string
		want     bool
	}{
		"a terminal":              {"auto", true, nil, true},
		"a pipe":                  {"auto", false, nil, false},
		"NO_COLOR":                {"auto", true, map[string]string{"NO_COLOR": "1"}, false},
		"NO_COLOR is empty":       {"auto", true, map[string]string{"NO_COLOR": ""}, true},
		"a dumb terminal":         {"auto", true, map[string]string{"TERM": "dumb"}, false},
		"always, into a pipe":     {"always", false, nil, true},
		"always, beside NO_COLOR": {"always", true, map[string]string{"NO_COLOR": "1"}, true},
		"never":                   {"never", true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			getenv := func(key string) string { return c.env[key] }
			paint := cli.Colour{Color: c.flag}.PaintFor(&bytes.Buffer{}, getenv)
			if c.terminal {
				paint = cli.Colour{Color: c.flag}.PaintFor(terminal.File, getenv)
			}
			for word, painted := range map[string]string{
				paint.Good("ok"): "\x1b[32mok\x1b[0m", paint.Warn("warn"): "\x1b[33mwarn\x1b[0m", paint.Bad("fail"): "\x1b[31mfail\x1b[0m",
			} {
				if (word == painted) != c.want {
					t.Errorf("%q", word)
				}
			}
		})
	}
}
