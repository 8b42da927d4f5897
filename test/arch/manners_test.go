package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 300
	maxFunctionLines = 60
)

// untested are the packages that have no test file of their own, and why.
var untested = map[string]string{
	"broker/brokertest":          "is the suite that the tests of the broker's database run",
	"test/manual/manualtest":     "is what the tests of manual and of the programs call",
	"store/keychain/keyringtest": "is a tool of the tests of store/keychain",
	"systemd/systemdtest":        "is the fake of the tests of systemd/manager",
}

func TestEveryPackageHasTests(t *testing.T) {
	t.Parallel()
	for name, p := range readTree(t) {
		has := slices.ContainsFunc(p.sources, source.isTest)
		_, excused := untested[name]
		switch {
		case !has && !excused:
			t.Errorf("%s has no test file", name)
		case has && excused:
			t.Errorf("%s has tests by now: take it out of the list", name)
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	t.Parallel()
	for name, p := range readTree(t) {
		var in []string
		code := false
		for _, s := range p.sources {
			code = code || !s.isTest()
			if !s.isTest() && s.file.Doc != nil {
				in = append(in, s.path)
			}
		}
		if code && len(in) != 1 {
			t.Errorf("%s: want one file with a package comment, found %d: %v", name, len(in), in)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	t.Parallel()
	empty := []string{"common", "helper", "helpers", "misc", "models", "types", "util", "utils"}
	for name, p := range readTree(t) {
		if slices.Contains(empty, path.Base(name)) {
			t.Errorf("package %s: name it after what it holds", name)
		}
		for _, s := range p.sources {
			base := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
			if slices.Contains(empty, base) {
				t.Errorf("%s: name it after what it holds", s.path)
			}
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	t.Parallel()
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			if s.lines > maxFileLines {
				t.Errorf("%s has %d lines, at most %d", s.path, s.lines, maxFileLines)
			}
			if !s.isTest() {
				checkFunctions(t, s)
			}
		}
	}
}

func checkFunctions(t *testing.T, s source) {
	t.Helper()
	for _, decl := range s.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		lines := s.fset.Position(f.Body.Rbrace).Line - s.fset.Position(f.Body.Lbrace).Line - 1
		if lines > maxFunctionLines {
			t.Errorf("%s: %s has %d lines, at most %d", s.at(f), f.Name.Name, lines, maxFunctionLines)
		}
	}
}

func TestNoInitAndNoCgo(t *testing.T) {
	t.Parallel()
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			for _, spec := range s.file.Imports {
				if importPath(spec) == "C" {
					t.Errorf("%s: cgo", s.at(spec))
				}
			}
			for _, decl := range s.file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s: init runs before anyone asked for it", s.at(f))
				}
			}
		}
	}
}

// TestOnlyTestsUseT holds that a receiver named t is not taken for a *testing.T.
func TestOnlyTestsUseT(t *testing.T) {
	t.Parallel()
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			for _, decl := range s.file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if ok && !s.isTest() && f.Recv != nil && len(f.Recv.List[0].Names) > 0 && f.Recv.List[0].Names[0].Name == "t" {
					t.Errorf("%s: the receiver of %s is named t", s.at(f), f.Name.Name)
				}
			}
		}
	}
}
