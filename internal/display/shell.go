package display

import (
	"regexp"
	"strings"
)

// plainWord is what a shell takes as one word as it stands.
var plainWord = regexp.MustCompile(`\A[A-Za-z0-9/._@%+=:,-][A-Za-z0-9/._@%+=:,#-]*\z`)

// Word is text as one word of a shell, for a command that a person is to type.
func Word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var sudoPattern = regexp.MustCompile(`(^|[;(] ?|: |&& )sudo ([^-])`)

// WithoutSudo is a hint for root on a machine that has no sudo. A `sudo -u`, which makes
// another user of root, stays, and so does a command for another machine.
func WithoutSudo(hint string) string {
	if strings.HasPrefix(hint, "on the broker's machine") {
		return hint
	}
	return sudoPattern.ReplaceAllString(hint, "$1$2")
}
