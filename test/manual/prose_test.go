package manual_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/test/manual"
)

func TestParseText(t *testing.T) {
	t.Parallel()
	got, err := manual.ParseText("x - what - it is\n\n# ONE\n\nA paragraph\nover two lines.\n\n`term`\n: its\n  meaning\n\n    as it\n      stands\n\n    still\n\n# TWO\nat once\n")
	if err != nil {
		t.Fatal(err)
	}
	want := manual.Text{Summary: "what - it is", Sections: []manual.Section{
		{Title: "ONE", Blocks: []manual.Block{
			{Text: "A paragraph over two lines."},
			{Kind: manual.Item, Term: "`term`", Text: "its meaning"},
			{Kind: manual.Literal, Text: "as it\n  stands\n\nstill"},
		}},
		{Title: "TWO", Blocks: []manual.Block{{Text: "at once"}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"term"}, got.Section("ONE").Terms()); diff != "" {
		t.Error(diff)
	}
	if got.Section("THREE") != nil {
		t.Error("a section that is not there")
	}
	for name, text := range map[string]string{"empty": "", "no summary": "x\n\n# ONE\n", "no section": "x - y\n\ntext\n"} {
		if _, err := manual.ParseText(text); !errors.Is(err, manual.ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPageRefusesWhatNamesNothing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a command that is not there":   "x - y\n\n# DESCRIPTION\n\nd\n\n# COMMANDS\n\ntake\n: a\n\nfly\n: b\n",
		"text between the commands":     "x - y\n\n# DESCRIPTION\n\nd\n\n# COMMANDS\n\ntake\n: a\n\nand so on\n",
		"no description":                "x - y\n\n# COMMANDS\n\ntake\n: a\n",
		"a description that comes late": "x - y\n\n# FILES\n\nf\n\n# DESCRIPTION\n\nd\n",
	} {
		parsed, err := manual.ParseText(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manual.Page(keeper(), parsed); !errors.Is(err, manual.ErrText) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	p := manual.Program{Commands: []manual.Command{{Name: "go", Flags: []manual.Flag{{Name: "file"}, {Name: "scope"}}}}}
	if !p.Choose("scope", "all", "none") || p.Choose("colour", "red") {
		t.Error("Choose finds the flags that there are, and no others")
	}
	if diff := cmp.Diff([]string{"all", "none"}, p.Commands[0].Flags[1].Choices); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseText: whatever is written, no text becomes a request of roff, and the
// bytes are plain.
func FuzzParseText(f *testing.F) {
	f.Add("x - y\n\n# ONE\n\n.so /etc/passwd\n\n    .so /etc/passwd\n\n`a\n: <b\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := manual.ParseText(text)
		if err != nil {
			return
		}
		requests := strings.Fields(`.\" .TH .SH .SS .PP .TP .RS .RE .nf .fi .sp .nh .ad`)
		for line := range strings.Lines(manual.Roff("x", 1, parsed)) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("%q is not plain", line)
			}
			request, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !slices.Contains(requests, request) {
				t.Fatalf("%q is a request", line)
			}
		}
	})
}
