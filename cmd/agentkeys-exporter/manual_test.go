package main

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/manual"
	"github.com/agentkeys/agentkeys/test/manual/manualtest"
)

var update = flag.Bool("update", false, "write man pages and completions")

func TestManPage(t *testing.T) {
	t.Parallel()
	text := manualtest.ReadText(t, root("docs/man", name+".1.txt"))
	manualtest.ExitCodes(t, text, words.ExitOK, words.ExitFault, words.ExitUsage)
	page, err := manual.Page(described(t), text)
	if err != nil {
		t.Fatal(err)
	}
	manualtest.Page(t, *update, root("docs/man", name+".1"), page)
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	p := described(t)
	manualtest.Files(t, *update, root(), p)
	manualtest.Tab(t, p, []manualtest.Press{
		{Line: name + " ", Want: []string{"version"}, Never: []string{"file.txt", "serve"}},
		{Line: name + " --w", Want: []string{"--web.listen-address", "--web.config.file", "--write"}},
		{Line: name + " --log-level ", Want: []string{"debug", "info", "warn", "error"}},
		{Line: name + " --write f", Want: []string{"file.txt"}},
	})
}

// described is what kong read from the grammar, for the page and the completions.
func described(t *testing.T) manual.Program {
	t.Helper()
	app, err := definition().Model(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	p := manual.FromKong(app)
	if !p.Choose("log-level", "debug", "info", "warn", "error") {
		t.Error("there is no --log-level")
	}
	return p
}

// root is a path below the module's directory.
func root(path ...string) string { return filepath.Join(append([]string{"..", ".."}, path...)...) }

func TestExamples(t *testing.T) {
	t.Parallel()
	manualtest.Examples(t, definition(), func() any { return &grammar{} })
}
