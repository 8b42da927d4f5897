package cli

import (
	"errors"
	"io"
	"reflect"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Program describes a program.
type Program struct {
	Name    string
	Summary string // one sentence, for the top of its help page
	// Examples has, for each command by its name, one line that can be typed. A program that works without
	// a command has one under the empty name.
	Examples map[string]string
}

// Model is the definition of grammar as kong read it, for help pages, man pages and completions.
func (p Program) Model(grammar any) (*kong.Application, error) {
	parser, err := kong.New(grammar, kong.Name(p.Name), kong.Description(p.Summary))
	if err != nil {
		return nil, err
	}
	return parser.Model, nil
}

// Parse reads args, without the program's name, into grammar, a pointer to a struct. The context runs
// the command that was typed; it is nil if only a help page was asked for. Errors are mistakes of the
// person (a Failure with CodeUsage, or an Exit after the page on errOut), errors of out, and errors in
// a grammar that kong does not accept.
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
	bare := len(args) == 0 && parser.Model.DefaultCmd == nil
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

// spoken replaces the words that people type instead of flags, and the flag that is a command.
func spoken(args []string) []string {
	if len(args) == 0 {
		return args
	}
	switch args[0] {
	case "help":
		return append(append([]string{}, args[1:]...), "--help")
	case "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// refuseEmpty refuses an empty argument, as an unset variable in a script produces it. If it counted
// as not typed, the command would be about the owner instead of an agent. A field that is a pointer
// distinguishes the two cases itself.
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
