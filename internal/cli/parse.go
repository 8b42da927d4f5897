package cli

import (
	"errors"
	"io"
	"reflect"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Program is what a program says of itself.
type Program struct {
	Name    string
	Summary string // one sentence, for the top of its help page
	// Examples has one line that can be typed for each command, by the command's name.
	Examples map[string]string
}

// Model is the definition of grammar as kong read it, for help pages, man pages and
// completions.
func (p Program) Model(grammar any) (*kong.Application, error) {
	parser, err := kong.New(grammar, kong.Name(p.Name), kong.Description(p.Summary))
	if err != nil {
		return nil, err
	}
	return parser.Model, nil
}

// Parse reads args, without the program's name, into grammar, a pointer to a struct. The
// context runs the command that was typed; it is nil where a help page was all that was
// asked for. Errors are mistakes of the person (a Failure of CodeUsage, or an Exit after the
// page on errOut), those of out, and those of a grammar that kong does not understand.
func (p Program) Parse(grammar any, args []string, out, errOut io.Writer) (*kong.Context, error) {
	page := out
	helped := false
	var failed error
	parser, err := kong.New(grammar,
		kong.Name(p.Name), kong.Description(p.Summary), kong.Writers(out, errOut),
		kong.Exit(func(int) { helped = true }),
		kong.Help(func(_ kong.HelpOptions, ctx *kong.Context) error {
			failed = p.writeHelp(page, ctx)
			return failed
		}),
	)
	if err != nil {
		return nil, err
	}
	bare := len(args) == 0
	if bare {
		page, args = errOut, []string{"--help"}
	}
	parsed, err := parser.Parse(spoken(args))
	switch {
	case failed != nil:
		return nil, failed
	case bare:
		return nil, Exit(words.ExitUsage)
	case helped:
		return nil, nil
	case err != nil:
		return nil, p.mistake(err)
	}
	return parsed, p.refuseEmpty(parsed)
}

// spoken translates the words that people type for flags, and the flag that is a command.
func spoken(args []string) []string {
	switch args[0] {
	case "help":
		return append(append([]string{}, args[1:]...), "--help")
	case "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// refuseEmpty finds what was typed with nothing in it, as by an unset variable of a script.
// Taken as not typed, it would mean the owner where an agent was meant. A field that is a
// pointer tells the two apart itself.
func (p Program) refuseEmpty(parsed *kong.Context) error {
	for _, step := range parsed.Path {
		var value *kong.Value
		switch {
		case step.Flag != nil:
			value = step.Flag.Value
		case step.Positional != nil:
			value = step.Positional
		default:
			continue
		}
		if value.Target.Kind() == reflect.String && value.Target.String() == "" {
			return Usage(nameOf(value)+" is empty", p.helpFor(parsed.Selected()))
		}
	}
	return nil
}

var errParser = errors.New("the arguments cannot be read")
