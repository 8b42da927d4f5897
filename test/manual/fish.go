package manual

import "strings"

// Fish is the completion of p for fish, from 3.0 on.
func Fish(p Program) string {
	var l lines
	self := "__" + function(p.Name)
	l.add("# fish completion for "+p.Name, madeBy, "",
		"# The command that was typed, the values of flags before it aside.",
		"function "+self+"_command",
		"    set -l value no",
		"    for word in (commandline -opc)[2..-1]",
		"        if test $value = yes",
		"            set value no",
		"            continue",
		"        end",
		"        switch $word")
	if flags := valued(p.Flags); len(flags) > 0 {
		l.add("            case "+strings.Join(dashed(flags), " "), "                set value yes")
	}
	l.add("            case '-*'",
		"            case '*'",
		"                printf '%s\\n' $word",
		"                return 0",
		"        end",
		"    end",
		"    return 1",
		"end",
		"",
		"function "+self+"_in",
		"    set -l command ("+self+"_command); and test $command = $argv[1]",
		"end", "")
	p.fishPrograms(&l, self)
	l.add("complete -c " + p.Name + " -f")
	for _, f := range p.Flags {
		l.add("complete -c " + p.Name + fishFlag(f))
	}
	for _, c := range p.Commands {
		l.add("", "complete -c "+p.Name+" -n 'not "+self+"_command >/dev/null' -a "+c.Name+" -d "+fishQuote(short(c.Help)))
		here := "complete -c " + p.Name + " -n '" + self + "_in " + c.Name + "'"
		for _, f := range c.Flags {
			l.add(here + fishFlag(f))
		}
		switch {
		case c.takes(Executable):
			l.add(here + " -a '(" + self + "_program)'")
		case c.takes(File):
			l.add(here + " -F")
		case c.takes(Dir):
			l.add(here + " -a '(__fish_complete_directories)'")
		}
	}
	return l.String()
}

// fishPrograms uses, for commands that start another program, the completion of that program.
func (p Program) fishPrograms(l *lines, self string) {
	for _, c := range p.Commands {
		if !c.takes(Executable) {
			continue
		}
		l.add("# What stands behind -- is another program's command line.",
			"function "+self+"_program",
			"    set -l words (commandline -opc)",
			"    if set -l at (contains -i -- -- $words)",
			"        set -l inner (string escape -- $words[(math $at + 1)..-1]) (commandline -ct)",
			"        complete -C (string join ' ' -- $inner)",
			"    end",
			"end", "")
		return
	}
}

func fishFlag(f Flag) string {
	text := " -l " + f.Name
	switch kind := KindOf(f.Value); {
	case f.Value == "":
	case len(f.Choices) > 0:
		text += " -x -a " + fishQuote(strings.Join(f.Choices, " "))
	case kind == File:
		text += " -r -F"
	case kind == Dir:
		text += " -x -a '(__fish_complete_directories)'"
	case kind == User:
		text += " -x -a '(__fish_complete_users)'"
	default:
		text += " -x"
	}
	return text + " -d " + fishQuote(short(f.Help, f.Choices...))
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
