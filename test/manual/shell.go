package manual

import "strings"

// lines builds a script.
type lines struct{ strings.Builder }

func (l *lines) add(text ...string) {
	for _, t := range text {
		l.WriteString(t + "\n")
	}
}

const madeBy = "# Made by `make docs` from the command definitions; do not edit."

// function is the program's name as a function name that every shell accepts.
func function(program string) string { return strings.ReplaceAll(program, "-", "_") }

// single quotes text for bash and zsh.
func single(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// commandNames lists the words of p.
func (p Program) commandNames() []string {
	names := make([]string, len(p.Commands))
	for i, c := range p.Commands {
		names[i] = c.Name
	}
	return names
}

// dashed lists flags as they are typed.
func dashed(list ...[]Flag) []string {
	var names []string
	for _, flags := range list {
		for _, f := range flags {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}

// valued leaves the flags that take a value.
func valued(list []Flag) []Flag {
	var found []Flag
	for _, f := range list {
		if f.Value != "" {
			found = append(found, f)
		}
	}
	return found
}

// short is a help text for a menu: its first sentence, without the full stop.
func short(help string, values ...string) string {
	first, _, _ := strings.Cut(sentence(help, values...), ". ")
	return strings.TrimSuffix(first, ".")
}
