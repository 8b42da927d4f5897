// Package manual makes the man page of a program and its completions for bash, zsh and fish
// from the definitions of its commands and flags. The result depends on the definitions alone,
// neither on the date nor on the machine. Only tests import it, so no program contains it and
// a release has nothing to generate.
package manual

import (
	"slices"
)

// Program describes a program as its command line shows it.
type Program struct {
	Name     string
	Flags    []Flag // of every command; they may also stand before the command
	Commands []Command
	Alone    bool // it works without a command
}

// Command is one word of a program.
type Command struct {
	Name     string
	Help     string // a sentence
	Operands []Operand
	Flags    []Flag // of this command alone
}

// Operand is a positional argument.
type Operand struct {
	Name     string // in capitals
	Help     string // may be empty
	Optional bool
	Takes    Kind
}

// Flag is one option, --flag.
type Flag struct {
	Name    string // without dashes
	Help    string
	Value   string   // the name of its value, in capitals; empty: it takes none
	Choices []string // all possible values; empty: any
	Repeats bool     // it may be given more than once
	Needed  bool     // the command requires it
}

// Kind says how a shell completes a value.
type Kind int

// The kinds of values. For Free nothing is offered.
const (
	Free       Kind = iota
	File            // a path
	Dir             // a directory
	User            // the name of a user of the machine
	Executable      // a program with its arguments, after --
)

// KindOf is the kind for the name of a value: FILE, DIR, USER, else Free.
func KindOf(value string) Kind {
	switch value {
	case "FILE":
		return File
	case "DIR":
		return Dir
	case "USER":
		return User
	}
	return Free
}

// Help is the flag that the package flag and kong add to every command.
func Help() Flag {
	return Flag{Name: "help", Help: "Say what the program or the command takes."}
}

// Choose sets the choices of a flag wherever it is defined; false: there is no such flag.
func (p *Program) Choose(name string, choices ...string) bool {
	found := choose(p.Flags, name, choices)
	for _, c := range p.Commands {
		found = choose(c.Flags, name, choices) || found
	}
	return found
}

func choose(list []Flag, name string, choices []string) (found bool) {
	for i := range list {
		if list[i].Name == name {
			list[i].Choices, found = choices, true
		}
	}
	return found
}

// takes reports whether an operand of c is completed as kind.
func (c Command) takes(kind Kind) bool {
	return slices.ContainsFunc(c.Operands, func(o Operand) bool { return o.Takes == kind })
}
