package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is one line of a comment and where it stands.
type line struct{ at, text string }

// comments are the lines of all comments of a file.
func comments(s source) []line {
	var found []line
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			for text := range strings.Lines(c.Text) {
				found = append(found, line{s.at(c), strings.TrimRight(text, "\n")})
			}
		}
	}
	return found
}

var (
	privatePattern = regexp.MustCompile(`(?i)\bdesigns? [0-9]`)
	adrPattern     = regexp.MustCompile(`\bADR (\d+)`)
	filePattern    = regexp.MustCompile(`\b(?:(?:docs|wiki|api)/[\w./-]*\w|[A-Z]{4,}\.md)(?:#[\w-]*\w)?`)
)

// cited are the files that a text cites, with the section if it names one. An ADR is cited
// by its number and stands here as the beginning of its file's name.
func cited(text string) []string {
	var found []string
	for _, m := range adrPattern.FindAllStringSubmatch(text, -1) {
		number := strings.TrimLeft(m[1], "0")
		found = append(found, "docs/adr/"+strings.Repeat("0", max(0, 4-len(number)))+number+"-")
	}
	return append(found, filePattern.FindAllString(text, -1)...)
}

func TestCited(t *testing.T) {
	t.Parallel()
	got := cited("see ADR 7, ADR 0012 and docs/spec/architecture.md#save. SECURITY.md#reporting says it; a.md, docs and api/ are none")
	want := []string{"docs/adr/0007-", "docs/adr/0012-", "docs/spec/architecture.md#save", "SECURITY.md#reporting"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCitationsExist holds that a reader of the repository finds what a comment cites.
func TestCitationsExist(t *testing.T) {
	t.Parallel()
	count := 0
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			for _, c := range comments(s) {
				for _, target := range cited(c.text) {
					count++
					if why := missing(t, target); why != "" {
						t.Errorf("%s cites %s: %s", c.at, target, why)
					}
				}
			}
		}
	}
	if count == 0 {
		t.Error("no comment cites a document: this test sees none")
	}
}

// missing says why a citation leads nowhere, or "".
func missing(t *testing.T, target string) string {
	t.Helper()
	file, section, _ := strings.Cut(target, "#")
	path := filepath.Join(root, filepath.FromSlash(file))
	if strings.HasSuffix(file, "-") {
		if found, _ := filepath.Glob(path + "*.md"); len(found) != 1 {
			return "no such ADR"
		}
		return ""
	}
	if _, err := os.Stat(path); err != nil {
		return "no such file"
	}
	if section != "" && !slices.Contains(read(t, path).anchors, section) {
		return "no such heading"
	}
	return ""
}

func TestNothingCitesADesignOutsideTheRepository(t *testing.T) {
	t.Parallel()
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			for _, c := range comments(s) {
				if privatePattern.MatchString(c.text) {
					t.Errorf("%s: cite an ADR, a section of docs/spec, an RFC or a URL: %s", c.at, c.text)
				}
			}
		}
	}
	for _, path := range markdown(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if found := privatePattern.Find(text); found != nil {
			t.Errorf("%s cites %q, which is not in the repository", path, found)
		}
	}
}

// unclearPattern finds words that the comments of this module used in place of the field's
// term. Say who or what is meant: "no process", "the caller", "next to", "is stored".
var unclearPattern = regexp.MustCompile(`(?i)\b(?:nobody|whoever|goes on|beside|lies|meanwhile|another one)\b`)

func TestCommentsSayWhoAndWhere(t *testing.T) {
	t.Parallel()
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			for _, c := range comments(s) {
				if found := unclearPattern.FindString(c.text); found != "" {
					t.Errorf("%s: %q: %s", c.at, found, c.text)
				}
			}
		}
	}
}
