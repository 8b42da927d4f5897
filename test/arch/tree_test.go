package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/agentkeys/agentkeys"
)

// source is one Go file, parsed whatever its build constraints say: the floors
// hold on every platform.
type source struct {
	path  string // from the module's root, with slashes
	fset  *token.FileSet
	file  *ast.File
	lines int
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at is "path:line" of a node, to click on.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// pkg is one directory with Go files.
type pkg struct{ sources []source }

// imports are the packages of this module that the non-test files import, named as in places.
func (p pkg) imports() []string {
	var found []string
	for _, s := range p.sources {
		if s.isTest() {
			continue
		}
		for _, spec := range s.file.Imports {
			if rest, ours := strings.CutPrefix(importPath(spec), module+"/"); ours {
				found = append(found, strings.TrimPrefix(rest, "internal/"))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, `"`) }

var parseOnce = sync.OnceValues(parseTree)

// readTree gives every package below internal/, cmd/ and test/, parsed once for all tests.
func readTree(t *testing.T) map[string]pkg {
	t.Helper()
	tree, err := parseOnce()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func parseTree() (map[string]pkg, error) {
	tree := map[string]pkg{}
	for _, top := range []string{"internal", "cmd", "test"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(path) != ".go":
				return nil
			}
			s, err := parseFile(path)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(s.path)), "internal/")
			tree[name] = pkg{append(tree[name].sources, s)}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return tree, nil
}

func parseFile(path string) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return source{}, err
	}
	lines := fset.File(file.FileStart).LineCount() - 1 // the file's last newline begins no line
	return source{filepath.ToSlash(rel), fset, file, lines}, nil
}
