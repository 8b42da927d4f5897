package arch

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// claimed are the documents every row and paragraph of which has a row in docs/claims.md.
var claimed = []string{"SECURITY.md", "wiki/key-security.md"}

func TestClaimsOf(t *testing.T) {
	t.Parallel()
	got := claimsOf("# Claims\n\n| x | y |\n\n## A.md\n\n| it says | held by |\n|---|---|\n| a `b` c | `store.TestX`, `broker.FuzzY` |\n| root | no test: root reads all |\n| nothing | |\n")
	want := []claim{
		{document: "A.md", words: "a `b` c", tests: []string{"store.TestX", "broker.FuzzY"}},
		{document: "A.md", words: "root", untested: true},
		{document: "A.md", words: "nothing"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(claim{})); diff != "" {
		t.Error(diff)
	}
}

func TestBlocksOf(t *testing.T) {
	t.Parallel()
	got := blocksOf("# A\n\none\ntwo\n- item\n  more\n1. first\n\n## B\n\n| head | h |\n|---|---|\n| row | 1 |\n| row | 2 |\n\n    code\n\nend\n")
	want := []block{{"A", "one two"}, {"A", "- item   more"}, {"A", "1. first"}, {"B", "| row | 1 |"}, {"B", "| row | 2 |"}, {"B", "end"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(block{})); diff != "" {
		t.Error(diff)
	}
	claims := []claim{{document: "x", words: "two"}, {document: "x", words: "B"}, {document: "x", words: "three"}, {document: "x", words: "e"}, {document: "y", words: "item"}}
	without, lost := unclaimed("x", want, claims)
	if diff := cmp.Diff([]block{want[2]}, without, cmp.AllowUnexported(block{})); diff != "" {
		t.Error(diff)
	}
	if len(lost) != 2 || lost[0].words != "three" || lost[1].words != "e" {
		t.Errorf("lost %+v", lost)
	}
}

// What SECURITY.md and the page on keys say is held by tests, or it is said why none can.
// A sentence that changes, or a new one, asks for a look at docs/claims.md.
func TestEveryClaimOfTheSecurityDocumentsNamesItsTests(t *testing.T) {
	t.Parallel()
	claims := claimsOf(readDocumentFile(t, "docs/claims.md"))
	there := qualifiedTests(t)
	for _, c := range claims {
		if !slices.Contains(claimed, c.document) {
			t.Errorf("%s is none of %v", c.document, claimed)
		}
		if len(c.tests) == 0 && !c.untested {
			t.Errorf("%s: %q names no test, and does not say %q", c.document, c.words, untestedText)
		}
		for _, name := range c.tests {
			if !there[name] {
				t.Errorf("%s: %q: there is no %s", c.document, c.words, name)
			}
		}
	}
	for _, document := range claimed {
		without, lost := unclaimed(document, blocksOf(readDocumentFile(t, document)), claims)
		for _, b := range without {
			t.Errorf("%s, %s: docs/claims.md has no row with words of: %.120s", document, b.section, b.text)
		}
		for _, c := range lost {
			t.Errorf("%s does not say %q, or in several places", document, c.words)
		}
	}
}

func readDocumentFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// qualifiedTests are the tests of the tree as package.Test.
func qualifiedTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			if !s.isTest() {
				continue
			}
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					names[path.Base(path.Dir(s.path))+"."+f.Name.Name] = true
				}
			}
		}
	}
	return names
}
