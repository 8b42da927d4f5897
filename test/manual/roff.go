package manual

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Roff is the page of name in a section of the manual, with the macros of man(7).
func Roff(name string, section int, t Text) string {
	var w roff
	w.macro("\\\"", "Made by `make docs` from the definitions and docs/man/"+name+"."+strconv.Itoa(section)+".txt.")
	w.macro("TH", quote(strings.ToUpper(name)), strconv.Itoa(section), `""`, "AgentKeys", `"AgentKeys manual"`)
	w.macro("nh") // no hyphenation: a hyphenated flag cannot be copied
	w.macro("ad", "l")
	w.macro("SH", "NAME")
	w.fill(escape(name) + ` \- ` + escape(t.Summary))
	for _, s := range t.Sections {
		w.macro("SH", quote(s.Title))
		for i, b := range s.Blocks {
			w.block(b, i == 0 || s.Blocks[i-1].Kind == Heading)
		}
	}
	return w.String()
}

type roff struct{ strings.Builder }

func (w *roff) macro(name string, args ...string) {
	w.WriteString(strings.TrimSpace("."+name+" "+strings.Join(args, " ")) + "\n")
}

// block writes b. A macro that only makes space is not allowed right below a title.
func (w *roff) block(b Block, first bool) {
	switch b.Kind {
	case Paragraph:
		if !first {
			w.macro("PP")
		}
		w.fill(markup(b.Text))
	case Item:
		w.macro("TP")
		w.fill(markup(bold(b.Term)))
		w.fill(markup(b.Text))
	case Heading:
		w.macro("SS", `"`+markup(b.Text)+`"`)
	case Literal:
		if !first {
			w.macro("sp")
		}
		w.macro("RS", "4")
		w.macro("nf")
		for line := range strings.Lines(b.Text + "\n") {
			w.line(escape(strings.TrimSuffix(line, "\n")))
		}
		w.macro("fi")
		w.macro("RE")
	}
}

// bold makes a term bold if it has no markup of its own.
func bold(term string) string {
	if strings.ContainsAny(term, "`<") {
		return term
	}
	return "`" + term + "`"
}

// lineLength keeps the source readable; mandoc warns above 80 bytes.
const lineLength = 76

// fill writes escaped text over as many lines as it needs.
func (w *roff) fill(text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > lineLength {
			w.line(line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	w.line(line)
}

// line writes one line of escaped text so that roff does not read it as a request.
func (w *roff) line(text string) {
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	w.WriteString(text + "\n")
}

func quote(text string) string { return `"` + escape(text) + `"` }

// escape makes every character represent itself. All hyphens are written so that they can be
// copied, because most of them belong to flags, names and dates.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch special, known := roffSpecial(r); {
		case known:
			b.WriteString(special)
		case r < ' ' || r == unicode.ReplacementChar || r == 0x7f:
			b.WriteByte(' ')
		case r > 0x7f:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func roffSpecial(r rune) (string, bool) {
	special, known := map[rune]string{
		'\\': `\e`, '-': `\-`, '\'': `\(aq`, '`': `\(ga`, '^': `\(ha`, '~': `\(ti`, '"': `\(dq`,
	}[r]
	return special, known
}

var markPattern = regexp.MustCompile("`[^`]*`|<[^<>` ]+>")

// markup escapes text in which `x` is bold and <x> italic, also within bold.
func markup(text string) string { return marked(text, `\fR`) }

func marked(text, back string) string {
	var b strings.Builder
	at := 0
	for _, m := range markPattern.FindAllStringIndex(text, -1) {
		b.WriteString(escape(text[at:m[0]]))
		inner := text[m[0]+1 : m[1]-1]
		if text[m[0]] == '`' {
			b.WriteString(`\fB` + marked(inner, `\fB`) + back)
		} else {
			b.WriteString(`\fI` + escape(inner) + back)
		}
		at = m[1]
	}
	return b.String() + escape(text[at:])
}
