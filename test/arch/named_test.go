package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testNamePattern = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)

// testsNamed are the names of tests that a document holds its claims by.
func testsNamed(text string) []string { return testNamePattern.FindAllString(text, -1) }

func TestTestsNamed(t *testing.T) {
	t.Parallel()
	got := testsNamed("Held by `TestA`, `FuzzB2` and (`BenchmarkC_d`).\nTesting, a Test, TestMain's and aTestE are none; but TestMain is.\n")
	if diff := cmp.Diff([]string{"TestA", "FuzzB2", "BenchmarkC_d", "TestMain", "TestMain"}, got); diff != "" {
		t.Error(diff)
	}
}

// A document that names a test for a claim names one that there is.
func TestTestsThatDocumentsNameExist(t *testing.T) {
	t.Parallel()
	there := declaredTests(t)
	if !slices.Contains(there, "TestTestsThatDocumentsNameExist") {
		t.Fatal("this test is not seen in the tree: no other is either")
	}
	named := 0
	for _, path := range markdown(t) {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if top, _, _ := strings.Cut(filepath.ToSlash(name), "/"); top != "wiki" && top != "docs" && top != "README.md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range testsNamed(string(text)) {
			if named++; !slices.Contains(there, test) {
				t.Errorf("%s: there is no %s", name, test)
			}
		}
	}
	if named == 0 {
		t.Error("no document names a test")
	}
}

func declaredTests(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			if !s.isTest() {
				continue
			}
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					names = append(names, f.Name.Name)
				}
			}
		}
	}
	return names
}
