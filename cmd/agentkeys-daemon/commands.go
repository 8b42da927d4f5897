package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/agentkeys/agentkeys/internal/buildinfo"
)

const name = "agentkeys-daemon"

// command is one word of the command line.
type command interface {
	define(*flag.FlagSet)
	run(context.Context, *program) error
}

// word is a command with what the help says of it.
type word struct {
	name     string
	operands string // positional arguments
	help     string
	make     func(operands []string) command
}

func commandList() []word {
	return []word{
		{"run", "", "keep one agent's session and serve its credentials; what the service starts", func([]string) command { return &runCommand{} }},
		{"pair", "", "make this machine a new agent: shows a code that the owner approves", func([]string) command { return &pairCommand{} }},
		{"recover", "IDENTITY", "make this machine an agent that there is already (wallet, alias or e-mail)", func(o []string) command { return &recoverCommand{identity: o[0]} }},
		{"status", "", "say how the daemons of this machine are", func([]string) command { return &statusCommand{} }},
		{"wait", "", "wait until a daemon can serve", func([]string) command { return &waitCommand{} }},
		{"probe", "", "look at the keychain, without asking anybody anything", func([]string) command { return &probeCommand{} }},
		{"doctor", "", "say what is wrong on this machine, and the command that mends it", func([]string) command { return &doctorCommand{} }},
		{"forget", "", "remove an agent's session from this machine", func([]string) command { return &forgetCommand{} }},
		{"version", "", "say which build this is", func([]string) command { return &versionCommand{} }},
	}
}

// globals are the flags that every command takes.
type globals struct {
	JSON        bool
	printConfig bool
	given       map[string]string // settings that flags gave, by settings key
}

func (g *globals) define(fs *flag.FlagSet) {
	fs.BoolVar(&g.JSON, "json", g.JSON, "print JSON, and errors as one JSON object on standard error")
	fs.BoolVar(&g.printConfig, "print-config", g.printConfig, "print each setting and where it came from, and end")
	g.setting(fs, "broker", "base `URL` of the broker, with its key pin if it has one, instead of the session's own")
	g.setting(fs, "session_store", "where sessions are kept, `MODE`: auto, file or keychain")
	g.setting(fs, "keychain_timeout", "bound of one keychain operation, `TIME` like 2s")
	g.setting(fs, "allow", "who may ask, `RULES`: user=NAME, group=NAME or unit=NAME.service, separated by commas")
	g.setting(fs, "allow_root", "whether root may ask, `BOOL`: true or false")
	g.setting(fs, "metrics_listen", "a TCP address, `HOST:PORT`, for /metrics of this instance alone")
	g.setting(fs, "log_level", "`LEVEL`: debug, info, warn or error")
	g.setting(fs, "log_format", "`FORMAT`: text or json")
}

// setting defines a flag for a key of the settings, which check the value.
func (g *globals) setting(fs *flag.FlagSet, key, help string) {
	if g.given == nil {
		g.given = map[string]string{}
	}
	fs.Func(strings.ReplaceAll(key, "_", "-"), help, func(value string) error {
		g.given[key] = value
		return nil
	})
}

// Errors of the command line.
var (
	errNoCommand = errors.New("no command is given")
	errOperands  = errors.New("wrong number of arguments")
	errUnknown   = errors.New("unknown command")
)

// parseAndRun finds the command and runs it. Everything that a person typed wrongly
// is a usage error.
func (p *program) parseAndRun(ctx context.Context, args []string) error {
	top := newFlags(name)
	p.flags.define(top)
	rest, err := parse(top, args[1:], true)
	if errors.Is(err, flag.ErrHelp) {
		p.help(p.stdout)
		return nil
	}
	switch {
	case err != nil:
		return p.usage(args, err)
	case len(rest) == 0 && p.flags.printConfig:
		return p.printConfig("")
	case len(rest) == 0:
		p.help(p.stderr)
		return p.usage(args, errNoCommand)
	}
	for _, w := range commandList() {
		if w.name == rest[0] {
			return p.runWord(ctx, w, rest[1:])
		}
	}
	return p.usage(args, fmt.Errorf("%w: %.64q", errUnknown, rest[0]))
}

func (p *program) runWord(ctx context.Context, w word, args []string) error {
	need := len(strings.Fields(w.operands))
	// The flags may stand before or after the operands, so these are found first.
	probe := newFlags(w.name)
	p.flags.define(probe)
	w.make(make([]string, need)).define(probe)
	operands, err := parse(probe, args, false)
	if errors.Is(err, flag.ErrHelp) {
		p.helpWord(w, probe)
		return nil
	}
	if err == nil && len(operands) != need {
		err = errOperands
	}
	if err != nil {
		return p.usage(append([]string{name, w.name}, args...), err)
	}
	c := w.make(operands)
	fs := newFlags(w.name)
	p.flags.define(fs)
	c.define(fs)
	if _, err := parse(fs, args, false); err != nil {
		return p.usage(args, err)
	}
	if _, runs := c.(*runCommand); !runs {
		p.hangups.Release()
	}
	return c.run(ctx, p)
}

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads flags and returns the operands between and after them; first stops
// at the first operand and returns it with all that follows.
func parse(fs *flag.FlagSet, args []string, first bool) (operands []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		args = fs.Args()
		if len(args) == 0 || first {
			return append(operands, args...), nil
		}
		operands, args = append(operands, args[0]), args[1:]
	}
}

// usage is what a person typed wrongly; --json counts wherever it stands.
func (p *program) usage(args []string, err error) error {
	for _, a := range args {
		p.flags.JSON = p.flags.JSON || a == "--json" || a == "-json"
	}
	return usage(err, name+" --help")
}

type versionCommand struct{}

func (versionCommand) define(*flag.FlagSet) {}

func (versionCommand) run(_ context.Context, p *program) error {
	if p.flags.JSON {
		return p.writeJSON(map[string]string{"version": buildinfo.Version()})
	}
	p.printf("%s %s\n", name, buildinfo.Get())
	return nil
}
