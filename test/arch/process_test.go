package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// mayStart are the files that may start another process, by prefix of their path.
func mayStart() []string {
	return []string{
		"internal/store/keychain/",
		"test/bench/",
		"test/demo/",
		"test/e2e/",
		"test/manual/manualtest/",
		"test/needs/",
		"test/testrun/",
		"cmd/agentkeys/run",
		"cmd/agentkeys/files.go", // run --files
	}
}

func TestOnlyAFewStartProcesses(t *testing.T) {
	t.Parallel()
	for _, p := range readTree(t) {
		for _, s := range p.sources {
			allowed := slices.ContainsFunc(mayStart(), func(prefix string) bool { return strings.HasPrefix(s.path, prefix) })
			if !s.isTest() && !allowed {
				checkStartsNothing(t, s)
			}
		}
	}
}

func checkStartsNothing(t *testing.T, s source) {
	t.Helper()
	for _, spec := range s.file.Imports {
		if importPath(spec) == "os/exec" {
			t.Errorf("%s: only the keychain's child and the run command start processes", s.at(spec))
		}
	}
	starters := []string{"os.StartProcess", "syscall.Exec", "syscall.ForkExec", "syscall.StartProcess", "unix.Exec"}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if from, ok := sel.X.(*ast.Ident); ok && slices.Contains(starters, from.Name+"."+sel.Sel.Name) {
				t.Errorf("%s: %s.%s starts a process", s.at(sel), from.Name, sel.Sel.Name)
			}
		}
		return true
	})
}

func TestProgramsAreOneLine(t *testing.T) {
	t.Parallel()
	for name, p := range readTree(t) {
		if !strings.HasPrefix(name, "cmd/") {
			continue
		}
		main := slices.IndexFunc(p.sources, func(s source) bool { return strings.HasSuffix(s.path, "/main.go") })
		if main < 0 {
			t.Errorf("%s has no main.go", name)
			continue
		}
		for _, decl := range p.sources[main].file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "main" && len(f.Body.List) != 1 {
				t.Errorf("%s: main calls run and does nothing else", p.sources[main].at(f))
			}
		}
	}
}

// outside are what a value or a decision does without: network, files, environment, programs
// and databases. Its callers hand it what was read, and the time.
var outside = []string{"database/sql", "io/ioutil", "net", "net/http", "os", "os/exec", "syscall"}

// mayReach are the packages of the two lower floors that exist for one of these.
var mayReach = map[string][]string{
	"harden": {"os", "syscall"},              // the process's own limits
	"stdio":  {"os", "os/signal", "syscall"}, // standard output and its signals
	"health": {"net/http"},                   // the handler of the metrics
}

func TestValuesAndDecisionsArePure(t *testing.T) {
	t.Parallel()
	table := places()
	for name, p := range readTree(t) {
		if table[name].floor > decisions {
			continue
		}
		for _, s := range p.sources {
			for _, spec := range s.file.Imports {
				path := importPath(spec)
				if !s.isTest() && slices.Contains(outside, path) && !slices.Contains(mayReach[name], path) {
					t.Errorf("%s: %s is a value or a decision and imports %s", s.at(spec), name, path)
				}
			}
		}
	}
}
