package arch

import (
	"regexp"
	"strings"
)

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`^#{1,6} +(.+?) *$`)
	codePattern    = regexp.MustCompile("`[^`]*`")
	notInAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// document is what the links of Markdown are checked against.
type document struct {
	links   []string // targets, as they stand
	anchors []string // of the headings, as GitHub makes them
}

// readDocument finds links and headings; code says neither.
func readDocument(text string) document {
	var d document
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced || strings.HasPrefix(line, "    ") {
			continue
		}
		if m := headingPattern.FindStringSubmatch(line); m != nil {
			d.anchors = append(d.anchors, anchor(m[1]))
		}
		for _, m := range linkPattern.FindAllStringSubmatch(codePattern.ReplaceAllString(line, ""), -1) {
			d.links = append(d.links, m[1])
		}
	}
	return d
}

// anchor is the name of a heading in links: lower case, blanks as '-', no punctuation.
func anchor(heading string) string {
	plain := notInAnchor.ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(plain, " ", "-")
}
