package display

import (
	"strings"
	"unicode"
)

// wide reports whether a character takes two columns of a terminal: the ideographs, syllables and
// full-width forms of East Asian scripts, and pictures (Unicode Standard Annex 11, W and F).
func wide(r rune) bool {
	in := func(low, high rune) bool { return low <= r && r <= high }
	switch {
	case in(0x1100, 0x115f), in(0x2e80, 0x303e), in(0x3041, 0x4dbf), in(0x4e00, 0xa4cf), in(0xa960, 0xa97f),
		in(0xac00, 0xd7a3), in(0xf900, 0xfaff), in(0xfe30, 0xfe6f), in(0xff00, 0xff60), in(0xffe0, 0xffe6), in(0x20000, 0x3fffd):
		return true
	case in(0x231a, 0x231b), in(0x23e9, 0x23ec), in(0x2614, 0x2615), in(0x2648, 0x2653), r == 0x26a1, r == 0x2705, r == 0x2728,
		r == 0x274c, in(0x1f300, 0x1f64f), in(0x1f680, 0x1f6ff), in(0x1f900, 0x1f9ff):
		return true
	}
	return false
}

// Width is how many columns of a terminal text takes: a wide character takes two, and a mark that
// is drawn over the character before it none.
func Width(text string) int {
	n := 0
	for _, r := range text {
		n += columns(r)
	}
	return n
}

func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case wide(r):
		return 2
	}
	return 1
}

// Fit is text in at most width columns: where it is longer it ends with "...".
func Fit(text string, width int) string {
	const more = "..."
	if Width(text) <= width {
		return text
	}
	n, end := 0, 0
	for i, r := range text {
		if n += columns(r); n > width-len(more) {
			break
		}
		end = i + len(string(r))
	}
	return text[:end] + more[:min(len(more), max(width, 0))]
}

// Wrap breaks text at spaces into lines of at most width columns; indent is put before each line but
// the first. A longer word has a line of its own. width 0: text as it is.
func Wrap(text string, width int, indent string) string {
	if width <= 0 {
		return text
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && Width(line)+1+Width(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n"+indent)
}

const leastWrap = 30 // columns

// Hang wraps a text that begins below a label, after indent, for a terminal of so many columns; 0, or
// a terminal that leaves too few for words: text as it is.
func Hang(text string, terminal int, indent string) string {
	if width := terminal - len(indent); width >= leastWrap {
		return Wrap(text, width, indent)
	}
	return text
}
