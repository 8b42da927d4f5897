package manual

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Page is the man page of p in section 1. The definitions come between the hand-written
// DESCRIPTION and the other sections. Items of a hand-written COMMANDS section are added to the
// command that they name; ErrText if there is no such command.
func Page(p Program, t Text) (string, error) {
	commands, err := p.commands(t.Section("COMMANDS"))
	if err != nil {
		return "", err
	}
	sections := []Section{p.synopsis()}
	rest := slices.Clone(t.Sections)
	if len(rest) == 0 || rest[0].Title != "DESCRIPTION" {
		return "", fmt.Errorf("%w: the first section is not DESCRIPTION", ErrText)
	}
	sections = append(sections, rest[0], commands)
	if len(p.Flags) > 0 {
		all := Block{Text: "Every command takes these, and they may stand before it as well."}
		if p.Alone {
			all.Text = "Without a command it works with these."
		}
		sections = append(sections, Section{Title: "OPTIONS", Blocks: append([]Block{all}, items(p.Flags)...)})
	}
	for _, s := range rest[1:] {
		if s.Title != "COMMANDS" {
			sections = append(sections, s)
		}
	}
	return Roff(p.Name, 1, Text{Summary: t.Summary, Sections: sections}), nil
}

func (p Program) synopsis() Section {
	flags := ""
	if len(p.Flags) > 0 {
		flags = " [<FLAGS>]"
	}
	if p.Alone {
		return Section{Title: "SYNOPSIS", Blocks: []Block{{Text: "`" + p.Name + "`" + flags}, {Text: "`" + p.Name + "` <COMMAND>"}}}
	}
	return Section{Title: "SYNOPSIS", Blocks: []Block{
		{Text: "`" + p.Name + "`" + flags + " <COMMAND> [<FLAGS>] [<OPERANDS>]"},
		{Text: "`" + p.Name + "` <COMMAND> `--help`"},
	}}
}

func (p Program) commands(more *Section) (Section, error) {
	s := Section{Title: "COMMANDS"}
	said := 0
	for _, c := range p.Commands {
		s.Blocks = append(s.Blocks, Block{Kind: Heading, Text: c.synopsis()}, Block{Text: sentence(c.Help)})
		if more != nil {
			for i, term := range more.Terms() {
				if term == c.Name {
					said++
					s.Blocks = append(s.Blocks, Block{Text: more.Blocks[i].Text})
				}
			}
		}
		for _, o := range c.Operands {
			if o.Help != "" {
				s.Blocks = append(s.Blocks, Block{Kind: Item, Term: "<" + o.Name + ">", Text: sentence(o.Help)})
			}
		}
		s.Blocks = append(s.Blocks, items(c.Flags)...)
	}
	if more != nil && said != len(more.Blocks) {
		return s, fmt.Errorf("%w: COMMANDS has %d blocks, and %d of them name a command", ErrText, len(more.Blocks), said)
	}
	return s, nil
}

func (c Command) synopsis() string {
	text := "`" + c.Name + "`"
	for _, f := range c.Flags {
		one := f.term()
		if f.Repeats {
			one += " ..."
		}
		if !f.Needed {
			one = "[" + one + "]"
		}
		text += " " + one
	}
	for _, o := range c.Operands {
		switch {
		case o.Takes == Executable:
			text += " `--` <" + o.Name + "> ..."
		case o.Optional:
			text += " [<" + o.Name + ">]"
		default:
			text += " <" + o.Name + ">"
		}
	}
	return text
}

func (f Flag) term() string {
	switch {
	case f.Value == "":
		return "`--" + f.Name + "`"
	case len(f.Choices) == 1: // the value is the choice itself
		return "`--" + f.Name + " " + f.Value + "`"
	}
	return "`--" + f.Name + "` <" + f.Value + ">"
}

func items(list []Flag) []Block {
	var blocks []Block
	for _, f := range list {
		blocks = append(blocks, Block{Kind: Item, Term: f.term(), Text: sentence(f.Help, f.Choices...)})
	}
	return blocks
}

// sentence begins text with a capital, unless it begins with a value or an address, and ends
// it with a full stop.
func sentence(text string, values ...string) string {
	first, _, _ := strings.Cut(text, " ")
	first = strings.TrimRight(first, ",.;")
	if isWord(first) && !slices.Contains(values, first) {
		_, size := utf8.DecodeRuneInString(text)
		text = strings.ToUpper(text[:size]) + text[size:]
	}
	if text != "" && !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func isWord(text string) bool {
	other := func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '\'' }
	return text != "" && !strings.ContainsFunc(text, other)
}
