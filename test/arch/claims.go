package arch

import (
	"regexp"
	"strings"
)

// claim is one row of docs/claims.md: words of a document, and what holds them.
type claim struct {
	document string   // its path from the module's root
	words    string   // as they stand there
	tests    []string // package.Test, the package by the last element of its path
	untested bool     // the row says why no test can hold it
}

const untestedText = "no test:"

var heldByPattern = regexp.MustCompile("`(\\w+\\.(?:Test|Fuzz)\\w+)`")

// claimsOf reads the tables of docs/claims.md, each below the heading of a document.
func claimsOf(text string) []claim {
	var found []claim
	document := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			document = name
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 2 || document == "" || strings.TrimSpace(cells[1]) == "held by" {
			continue
		}
		words := strings.ReplaceAll(strings.TrimSpace(cells[0]), `\|`, "|") // as Markdown writes it in a table
		c := claim{document: document, words: words, untested: strings.HasPrefix(strings.TrimSpace(cells[1]), untestedText)}
		for _, m := range heldByPattern.FindAllStringSubmatch(cells[1], -1) {
			c.tests = append(c.tests, m[1])
		}
		found = append(found, c)
	}
	return found
}

// block is what a document says in one place: a row of a table, a paragraph or an item of a
// list. Its section is the heading above it.
type block struct{ section, text string }

// blocksOf leaves out headings, the head of a table and code.
func blocksOf(text string) []block {
	var found []block
	section, open := "", false
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		row := strings.HasPrefix(line, "|")
		head := row && (strings.HasPrefix(line, "|---") || i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---"))
		item := strings.HasPrefix(line, "- ") || len(line) > 2 && line[0] >= '0' && line[0] <= '9' && strings.HasPrefix(line[1:], ". ")
		switch {
		case strings.HasPrefix(line, "#"):
			section, open = strings.TrimLeft(line, "# "), false
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "    "), head:
			open = false
		case open && !row && !item:
			found[len(found)-1].text += " " + line
		default:
			found = append(found, block{section, line})
			open = !row
		}
	}
	return found
}

// unclaimed are the blocks in which no claim of the document has its words, and lost the
// claims whose words not exactly one block has. A claim whose words are a heading stands for
// all below it.
func unclaimed(document string, blocks []block, claims []claim) (without []block, lost []claim) {
	said := map[int]bool{}
	for _, c := range claims {
		if c.document != document {
			continue
		}
		found, below := 0, false
		for i, b := range blocks {
			if b.section == c.words || strings.Contains(b.text, c.words) {
				said[i], below = true, below || b.section == c.words
				found++
			}
		}
		if found != 1 && !below {
			lost = append(lost, c)
		}
	}
	for i, b := range blocks {
		if !said[i] {
			without = append(without, b)
		}
	}
	return without, lost
}
