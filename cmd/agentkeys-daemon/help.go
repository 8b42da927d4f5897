package main

import (
	"flag"
	"fmt"
	"io"
)

func (p *program) help(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%s: the daemon of one AgentKeys agent\n\nCommands:\n", name)
	for _, c := range commandList() {
		_, _ = fmt.Fprintf(w, "  %-17s %s\n", c.name+" "+c.operands, c.help)
	}
	_, _ = fmt.Fprint(w, "\nFlags of every command:\n")
	fs := newFlags(name)
	(&globals{}).define(fs)
	helpFlags(w, fs)
	_, _ = fmt.Fprintf(w, "\n%s COMMAND --help says more.\n", name)
}

func (p *program) helpWord(c word, fs *flag.FlagSet) {
	p.printf("%s %s %s\n  %s\n\nFlags:\n", name, c.name, c.operands, c.help)
	helpFlags(p.stdout, fs)
}

func helpFlags(w io.Writer, fs *flag.FlagSet) {
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		left := "--" + f.Name
		if value != "" {
			left += " " + value
		}
		_, _ = fmt.Fprintf(w, "  %-26s %s\n", left, text)
	})
}
