package manual

import "strings"

// Bash is the completion of p for bash, from version 3.2 (macOS) on. It does not need the
// package bash-completion.
func Bash(p Program) string {
	var l lines
	self := "_" + function(p.Name)
	l.add("# bash completion for "+p.Name+"  -*- shell-script -*-", madeBy, "# shellcheck shell=bash disable=SC2207", "")
	l.add(self+"() {",
		"    local IFS=$'\\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' value='' i word words=''",
		"    COMPREPLY=()",
		"    # --flag=value comes as three words.",
		"    if [[ $cur == = ]]; then",
		"        cur=''",
		"    elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then",
		"        prev=${COMP_WORDS[COMP_CWORD-2]}",
		"    fi",
		"    for ((i = 1; i < COMP_CWORD; i++)); do",
		"        word=${COMP_WORDS[i]}")
	p.bashPrograms(&l)
	l.add("        if [[ -n $command || -n $value ]]; then",
		"            value=''",
		"            continue",
		"        fi",
		"        case $word in")
	if flags := valued(p.Flags); len(flags) > 0 {
		l.add("        " + strings.Join(dashed(flags), " | ") + ") value=next ;;")
	}
	l.add("        "+strings.Join(p.commandNames(), " | ")+") command=$word ;;",
		"        esac",
		"    done",
		"",
		"    case $command:$prev in")
	bashValues(&l, "*", p.Flags)
	for _, c := range p.Commands {
		bashValues(&l, c.Name, c.Flags)
	}
	l.add("    esac", "", "    if [[ $cur == -* ]]; then", "        case $command in")
	l.bashFlags("''", dashed(p.Flags))
	for _, c := range p.Commands {
		l.bashFlags(c.Name, dashed(c.Flags, p.Flags))
	}
	l.add("        esac", `        COMPREPLY=($(compgen -W "$words" -- "$cur"))`, "        return", "    fi", "",
		"    case $command in",
		"    '') COMPREPLY=($(compgen -W "+bashList(p.commandNames())+` -- "$cur")) ;;`)
	for _, c := range p.Commands {
		l.bashOperands(c)
	}
	l.add("    esac", "}", "complete -F "+self+" "+p.Name)
	return l.String()
}

// bashPrograms calls the completion of the program that a command starts.
func (p Program) bashPrograms(l *lines) {
	for _, c := range p.Commands {
		if !c.takes(Executable) {
			continue
		}
		l.add("        if [[ $command == "+c.Name+" && $word == -- ]]; then",
			"            if declare -F _command_offset >/dev/null; then",
			"                unset IFS",
			"                _command_offset $((i + 1))",
			"            elif ((COMP_CWORD == i + 1)); then",
			`                COMPREPLY=($(compgen -c -- "$cur"))`,
			"            else",
			"                compopt -o filenames 2>/dev/null",
			`                COMPREPLY=($(compgen -f -- "$cur"))`,
			"            fi",
			"            return",
			"        fi")
	}
}

func bashValues(l *lines, command string, flags []Flag) {
	for _, f := range valued(flags) {
		l.add("    "+command+":--"+f.Name+")", bashValue(f), "        return", "        ;;")
	}
}

func bashValue(f Flag) string {
	switch kind := KindOf(f.Value); {
	case len(f.Choices) > 0:
		return "        COMPREPLY=($(compgen -W " + bashList(f.Choices) + ` -- "$cur"))`
	case kind == File:
		return bashPaths("-f")
	case kind == Dir:
		return bashPaths("-d")
	case kind == User:
		return `        COMPREPLY=($(compgen -u -- "$cur"))`
	}
	return "        # Nothing to offer."
}

func bashPaths(action string) string {
	return "        compopt -o filenames 2>/dev/null\n        COMPREPLY=($(compgen " + action + ` -- "$cur"))`
}

func (l *lines) bashFlags(command string, flags []string) {
	l.add("        " + command + ") words=" + bashList(flags) + " ;;")
}

// bashList is a list for compgen -W, which splits at IFS.
func bashList(words []string) string { return "$" + single(strings.Join(words, `\n`)) }

func (l *lines) bashOperands(c Command) {
	switch {
	case c.takes(File):
		l.add("    "+c.Name+")", bashPaths("-f"), "        ;;")
	case c.takes(Dir):
		l.add("    "+c.Name+")", bashPaths("-d"), "        ;;")
	}
}
