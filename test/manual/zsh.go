package manual

import "strings"

// Zsh is the completion of p as a file `_<program>` in zsh's $fpath.
func Zsh(p Program) string {
	var l lines
	l.add("#compdef "+p.Name, madeBy, "",
		"local curcontext=$curcontext state state_descr line ret=1",
		"typeset -A opt_args",
		"local -a common subcommands")
	l.add("common=(")
	for _, f := range p.Flags {
		l.add("    " + zshFlag(f))
	}
	l.add(")", "subcommands=(")
	for _, c := range p.Commands {
		l.add("    " + single(zshColon(c.Name)+":"+short(c.Help)))
	}
	l.add(")", "",
		"_arguments -C $common '(-): :->command' '(-)*:: :->operands' && ret=0",
		"case $state in",
		"command)",
		"    _describe -t commands "+single(p.Name+" command")+" subcommands && ret=0",
		"    ;;",
		"operands)",
		"    curcontext=${curcontext%:*:*}:"+p.Name+"-$words[1]:",
		"    case $words[1] in")
	for _, c := range p.Commands {
		l.zshCommand(c)
	}
	l.add("    esac", "    ;;", "esac", "return ret")
	return l.String()
}

func (l *lines) zshCommand(c Command) {
	l.add("    " + c.Name + ")")
	if c.takes(Executable) {
		l.add("        # What stands behind -- is another program's command line.",
			"        local -i end=${words[(i)--]}",
			"        if (( end < CURRENT )); then",
			"            shift $end words",
			"            (( CURRENT -= end ))",
			"            if (( CURRENT == 1 )); then",
			"                _command_names -e && ret=0",
			"            else",
			"                _normal && ret=0",
			"            fi",
			"            return ret",
			"        fi")
	}
	l.add("        _arguments -S $common \\")
	for _, f := range c.Flags {
		l.add("            " + zshFlag(f) + " \\")
	}
	for _, o := range c.Operands {
		optional := ""
		if o.Optional {
			optional = ":"
		}
		l.add("            " + single(":"+optional+zshColon(o.Name)+":"+zshKind(o.Takes)) + " \\")
	}
	l.add("            && ret=0", "        ;;")
}

// zshFlag is the specification of one flag for _arguments.
func zshFlag(f Flag) string {
	text := "--" + f.Name
	if f.Value != "" {
		text += "="
	}
	text += "[" + zshColon(zshBrackets(short(f.Help, f.Choices...))) + "]"
	switch {
	case f.Value == "":
	case len(f.Choices) > 0:
		text += ":" + zshColon(f.Value) + ":(" + strings.Join(f.Choices, " ") + ")"
	default:
		text += ":" + zshColon(f.Value) + ":" + zshKind(KindOf(f.Value))
	}
	if f.Repeats {
		text = "*" + text
	}
	if f.Name == "help" {
		text = "(- *)" + text
	}
	return single(text)
}

func zshKind(kind Kind) string {
	switch kind {
	case File:
		return "_files"
	case Dir:
		return "_files -/"
	case User:
		return "_users"
	case Free, Executable:
	}
	return " "
}

func zshColon(text string) string { return strings.ReplaceAll(text, ":", `\:`) }

func zshBrackets(text string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(text)
}
