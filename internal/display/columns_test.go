package display_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/display"
)

func TestWidthIsThatOfATerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "hermes": 6, "厨房": 4, "cuisine é": 9, "e\u0301": 1, "한글": 4, "ﾊﾝ": 2, "ＡＢ": 4, "🤖": 2, "…": 1,
	} {
		if got := display.Width(text); got != want {
			t.Errorf("%q: %d columns, want %d", text, got, want)
		}
	}
}

func TestFitCutsToColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"hermes", 6, "hermes"},
		{"hermes-of-the-kitchen", 10, "hermes-..."},
		{"厨房的机器人", 12, "厨房的机器人"},
		{"厨房的机器人", 10, "厨房的..."},
		{"厨房的机器人", 6, "厨..."},
		{"hermes", 2, ".."},
		{"hermes", 0, ""},
	} {
		if got := display.Fit(c.text, c.width); got != c.want || display.Width(got) > c.width {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestWrapKeepsWordsWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 7, "one two\n  three"},
		{"one two three", 0, "one two three"},
		{"/a/very/long/path is bad", 6, "/a/very/long/path\n  is bad"},
		{"厨房 机器人", 8, "厨房\n  机器人"},
		{"", 5, ""},
	} {
		if got := display.Wrap(c.text, c.width, "  "); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
