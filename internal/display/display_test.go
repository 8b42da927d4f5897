package display_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/display"
)

func TestLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"ordinary text":                   {"pi at home, Zürich", "pi at home, Zürich"},
		"an escape sequence":              {"\x1b[2Jpi", "?[2Jpi"},
		"line ends and other white space": {"a\nb\tc\u00a0d\u2028e", "a b c d e"},
		"a change of direction":           {"a\u202eb\u2066c", "a?b?c"},
		"invisible characters":            {"a\u200bb\u3164c\ufeffd", "a?b?c?d"},
		"bytes that are not UTF-8":        {"a\xffb", "a?b"},
		"nothing":                         {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := display.Line(tt.text); got != tt.want {
				t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "äöü": "äöü", "äöüß": "äöü...", "a\n\x1bdef": "a ?...", strings.Repeat("x", 1000): "xxx...",
	} {
		if got := display.Clip(text, 3); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\u202eb\n\x1b")
	f.Fuzz(func(t *testing.T, text string) {
		got := display.Line(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !display.Safe(r) }) {
			t.Errorf("%q became %q", text, got)
		}
		if again := display.Line(got); again != got {
			t.Errorf("%q becomes %q, and that %q", text, got, again)
		}
	})
}
