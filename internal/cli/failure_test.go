package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/words"
)

var (
	errGone   = errors.New("it is gone")
	errLocked = errors.New("it is locked")
)

func rules() []cli.Rule {
	return []cli.Rule{
		cli.On(errLocked, words.ExitUnreachable, "locked", "keeper unlock"),
		cli.On(errGone, words.ExitNoSession, "gone", ""),
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		exit int
		text string
		json string
	}{
		"nothing":     {nil, words.ExitOK, "", ""},
		"all is said": {cli.Exit(words.ExitDenied), words.ExitDenied, "", ""},
		"an error of a rule": {fmt.Errorf("open it: %w", errLocked), words.ExitUnreachable,
			"keeper: error: open it: it is locked\nkeeper: hint: keeper unlock\n",
			`{"error":{"code":"locked","message":"open it: it is locked","hint":"keeper unlock"}}` + "\n"},
		"one without a hint": {errGone, words.ExitNoSession, "keeper: error: it is gone\n",
			`{"error":{"code":"gone","message":"it is gone","hint":""}}` + "\n"},
		"two that match: the first rule": {errors.Join(errGone, errLocked), words.ExitUnreachable,
			"keeper: error: it is gone\nit is locked\nkeeper: hint: keeper unlock\n",
			`{"error":{"code":"locked","message":"it is gone\nit is locked","hint":"keeper unlock"}}` + "\n"},
		"a mistake, wrapped": {fmt.Errorf("--listen: %w", cli.Usage("no address", "keeper serve")), words.ExitUsage,
			"keeper: error: --listen: no address\nkeeper: hint: keeper serve\n",
			`{"error":{"code":"usage","message":"--listen: no address","hint":"keeper serve"}}` + "\n"},
		"a hint of the place": {fmt.Errorf("open it: %w", cli.Hinted(errLocked, "keeper ask")), words.ExitUnreachable,
			"keeper: error: open it: it is locked\nkeeper: hint: keeper ask\n",
			`{"error":{"code":"locked","message":"open it: it is locked","hint":"keeper ask"}}` + "\n"},
		"an error of no rule": {errors.New("odd"), words.ExitFault, "keeper: error: odd\n",
			`{"error":{"code":"error","message":"odd","hint":""}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				r := cli.Reporter{Program: "keeper", Err: &out, JSON: asJSON}
				code := r.Report(tt.err, func(err error) *cli.Failure { return cli.Classify(err, rules()) })
				want := tt.text
				if asJSON {
					want = tt.json
				}
				if code != tt.exit || out.String() != want {
					t.Errorf("exit %d, %q; want %d, %q", code, out.String(), tt.exit, want)
				}
			}
		})
	}
}

func TestWantsJSON(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"": false, "keeper": false, "keeper --json": true, "keeper serve --json=true": true,
		"keeper run -- --json": false, "--json": false,
	} {
		if got := cli.WantsJSON(strings.Fields(line)); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}
