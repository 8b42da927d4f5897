package cli_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/internal/words"
)

// grammar has one of each kind of argument.
type grammar struct {
	JSON bool `name:"json" help:"Print JSON."`

	Serve struct {
		Data   string        `required:"" placeholder:"DIR" help:"Where everything is kept."`
		Listen *string       `placeholder:"ADDR" help:"Where it listens."`
		Format string        `enum:"text,json" default:"text" placeholder:"FORMAT" help:"How it logs."`
		Wait   time.Duration `placeholder:"TIME" help:"How long it waits, which is told here in a sentence that is longer than a line of the page."`
		Count  int           `placeholder:"N" help:"How often."`
	} `cmd:"" help:"Run it."`
	Backup struct {
		File string `arg:"" help:"Where to."`
	} `cmd:"" help:"Copy it."`
	Agents struct {
		List struct{} `cmd:"" default:"1" help:"List them."`
		Set  struct {
			Identity string `arg:"" help:"Which one."`
		} `cmd:"" help:"Change one."`
	} `cmd:"" help:"The agents."`
	Run struct {
		Command []string `arg:"" help:"The program."`
	} `cmd:"" help:"Run a program."`
	Version struct{} `cmd:"" help:"Say which build this is."`
}

func keeper() cli.Program {
	return cli.Program{Name: "keeper", Summary: "Keeps what it is given.", Examples: map[string]string{"serve": "keeper serve --data /srv"}}
}

func parse(args ...string) (command, out, errOut string, err error) {
	var o, e bytes.Buffer
	ctx, err := keeper().Parse(&grammar{}, args, &o, &e)
	if ctx != nil {
		command = ctx.Command()
	}
	return command, o.String(), e.String(), err
}

func TestWhatIsTypedWrongly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args          string
		message, hint string
	}{
		"a flag of no command":      {"--foo", "there is no flag --foo", "keeper --help"},
		"a flag that is near":       {"serve --data x --lsten y", "there is no flag --lsten; did you mean --listen?", "keeper serve --help"},
		"no command of this name":   {"srve", `there is no command "srve"; did you mean serve?`, "keeper --help"},
		"a command below":           {"agents st", `there is no command "st"; did you mean list?`, "keeper agents --help"},
		"a flag that is needed":     {"serve", "--data DIR is missing", "keeper serve --help"},
		"a flag without its value":  {"serve --data", "--data needs a value", "keeper serve --help"},
		"a flag for a value":        {"serve --data --listen", "--data needs a value", "keeper serve --help"},
		"nothing for a value":       {"serve --data=", "--data is empty", "keeper serve --help"},
		"an argument too many":      {"backup a b", `backup does not take the argument "b"`, "keeper backup --help"},
		"an argument too few":       {"backup", "FILE is missing", "keeper backup --help"},
		"a program that is missing": {"run", "COMMAND is missing", "keeper run --help"},
		"below, one too few":        {"agents set", "IDENTITY is missing", "keeper agents set --help"},
		"none of the choices":       {"serve --data x --format xml", `--format is "xml", and takes text or json`, "keeper serve --help"},
		"no time":                   {"serve --data x --wait soon", `--wait is "soon", and takes a time such as 30s or 24h`, "keeper serve --help"},
		"no number":                 {"serve --data x --count many", `--count is "many", and takes a number`, "keeper serve --help"},
		"neither true nor false":    {"--json=perhaps serve", `--json is "perhaps", and takes true or false`, "keeper --help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, out, errOut, err := parse(strings.Fields(tt.args)...)
			var f *cli.Failure
			if !errors.As(err, &f) || out != "" || errOut != "" {
				t.Fatalf("%v, printed %q and %q", err, out, errOut)
			}
			want := cli.Failure{Exit: words.ExitUsage, Code: cli.CodeUsage, Hint: tt.hint}
			if diff := cmp.Diff(want, cli.Failure{Exit: f.Exit, Code: f.Code, Hint: f.Hint}); diff != "" || f.Error() != tt.message {
				t.Errorf("%q, want %q\n%s", f.Error(), tt.message, diff)
			}
		})
	}
}

// Every help page is asked for in several ways, fits a terminal and goes where a person or a
// pipe looks for it.
func TestHelp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args  string
		holds []string
		never string
	}{
		"the program":       {"--help", []string{"Usage: keeper COMMAND", "Keeps what", "serve", "--json"}, "--listen"},
		"by a letter":       {"-h", []string{"Usage: keeper COMMAND"}, "--listen"},
		"by a word":         {"help", []string{"Usage: keeper COMMAND"}, "--listen"},
		"a command":         {"serve --help", []string{"Usage: keeper serve --data DIR [flags]", "Run it.", "--listen ADDR", "keeper serve --data /srv"}, "--json"},
		"a command, a word": {"help serve", []string{"Usage: keeper serve --data DIR"}, "--json"},
		"an operand":        {"backup -h", []string{"Usage: keeper backup FILE", "Where to."}, "--json"},
		"below":             {"agents set --help", []string{"Usage: keeper agents set IDENTITY"}, "--json"},
		"several":           {"run --help", []string{"Usage: keeper run COMMAND..."}, "--json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, out, errOut, err := parse(strings.Fields(tt.args)...)
			if err != nil || command != "" || errOut != "" {
				t.Fatalf("%v, command %q, on standard error %q", err, command, errOut)
			}
			for _, text := range tt.holds {
				if !strings.Contains(out, text) {
					t.Errorf("%q is missing:\n%s", text, out)
				}
			}
			if strings.Contains(out, tt.never) {
				t.Errorf("%s is none of its flags:\n%s", tt.never, out)
			}
			for line := range strings.Lines(out) {
				if len(line) > 81 {
					t.Errorf("wider than 80 columns: %s", line)
				}
			}
		})
	}
}

func TestNothingTypedShowsTheHelpPageAsAMistake(t *testing.T) {
	t.Parallel()
	_, out, errOut, err := parse()
	report := cli.Reporter{Program: "keeper", Err: &bytes.Buffer{}}
	if code := report.Report(err, nil); code != words.ExitUsage || out != "" || !strings.Contains(errOut, "Usage: keeper COMMAND") {
		t.Errorf("exit %d, on standard output %q, on standard error %q", code, out, errOut)
	}
}

func TestTheVersionIsAFlagToo(t *testing.T) {
	t.Parallel()
	if command, _, _, err := parse("--version"); err != nil || command != "version" {
		t.Errorf("%q, %v", command, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("serve --data x")
	f.Add("help agents set")
	f.Fuzz(func(t *testing.T, line string) {
		_, _, _, err := parse(strings.Split(line, " ")...)
		if err != nil && !errors.As(err, new(*cli.Failure)) && cli.Exit(words.ExitUsage).Error() != err.Error() {
			t.Errorf("%q: %v", line, err)
		}
	})
}
