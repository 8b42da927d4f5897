// Package display makes text that another party chose (a broker, a daemon, a board, a file
// name) safe to show. A terminal obeys control characters, and a reader is deceived by
// characters that are invisible or change the direction of writing.
package display

import (
	"strings"
	"unicode"
)

// Safe reports whether a character has a visible form of its own: no control character, no
// mark that changes the direction of writing, no invisible character, and no space but ' '.
func Safe(r rune) bool {
	return unicode.IsPrint(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// Line is text on one line: white space becomes ' ', and every other character that is not
// safe, or not valid UTF-8, becomes '?'.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !Safe(r), r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, text)
}

// Clip is Line for a text that may be long: it ends after most characters with "...".
func Clip(text string, most int) string {
	n := 0
	for i := range text {
		if n++; n > most {
			return Line(text[:i]) + "..."
		}
	}
	return Line(text)
}
