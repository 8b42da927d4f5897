package manual

import (
	"errors"
	"fmt"
	"strings"
)

// ErrText says that a hand-written part is not in the form that ParseText reads.
var ErrText = errors.New("manual text")

// Text is the hand-written part of a page.
type Text struct {
	Summary  string // after the name on the first line
	Sections []Section
}

// Section is a part of a page with a title in capitals.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is one part of a section. In Text and Term, `x` is bold and <x> italic.
type Block struct {
	Kind BlockKind
	Term string // of an Item
	Text string // of a Literal, with its line breaks
}

// BlockKind says what a block is.
type BlockKind int

// The kinds of blocks.
const (
	Paragraph BlockKind = iota
	Item                // a term and what it means
	Literal             // printed as it is
	Heading             // of the blocks that follow in the section
)

// ParseText reads a hand-written part. The first line is `name - summary`; a section begins
// with `# TITLE`. Empty lines separate its blocks: a paragraph, an item (a line with the term,
// then `: ` and its description), or literal lines that are indented by four.
func ParseText(text string) (Text, error) {
	var t Text
	head, body, _ := strings.Cut(text, "\n")
	_, summary, ok := strings.Cut(head, " - ")
	if !ok {
		return t, fmt.Errorf("%w: the first line is not `name - summary`", ErrText)
	}
	t.Summary = summary
	for i, chunk := range strings.Split(body, "\n\n") {
		chunk = strings.Trim(chunk, "\n")
		if chunk == "" {
			continue
		}
		if title, ok := strings.CutPrefix(chunk, "# "); ok {
			title, chunk, _ = strings.Cut(title, "\n")
			t.Sections = append(t.Sections, Section{Title: title})
		}
		if chunk == "" {
			continue
		}
		if len(t.Sections) == 0 {
			return t, fmt.Errorf("%w: block %d stands before the first `# TITLE`", ErrText, i)
		}
		s := &t.Sections[len(t.Sections)-1]
		s.add(parseBlock(chunk))
	}
	return t, nil
}

func parseBlock(chunk string) Block {
	lines := strings.Split(chunk, "\n")
	if strings.HasPrefix(lines[0], literalIndent) {
		for i := range lines {
			lines[i] = strings.TrimPrefix(lines[i], literalIndent)
		}
		return Block{Kind: Literal, Text: strings.Join(lines, "\n")}
	}
	if len(lines) > 1 {
		if meaning, ok := strings.CutPrefix(lines[1], ": "); ok {
			lines[1] = meaning
			return Block{Kind: Item, Term: lines[0], Text: oneLine(lines[1:])}
		}
	}
	return Block{Kind: Paragraph, Text: oneLine(lines)}
}

const literalIndent = "    "

func oneLine(lines []string) string {
	return strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
}

// add appends a block. Literal lines after an empty line continue a Literal before them.
func (s *Section) add(b Block) {
	if last := len(s.Blocks) - 1; b.Kind == Literal && last >= 0 && s.Blocks[last].Kind == Literal {
		s.Blocks[last].Text += "\n\n" + b.Text
		return
	}
	s.Blocks = append(s.Blocks, b)
}

// Section finds a section by its title; nil: there is none.
func (text *Text) Section(title string) *Section {
	for i := range text.Sections {
		if text.Sections[i].Title == title {
			return &text.Sections[i]
		}
	}
	return nil
}

// Terms lists the items of a section without their markup.
func (s *Section) Terms() []string {
	var terms []string
	for _, b := range s.Blocks {
		if b.Kind == Item {
			terms = append(terms, strings.ReplaceAll(b.Term, "`", ""))
		}
	}
	return terms
}
