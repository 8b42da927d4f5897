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
	manualtest.ExitCodes(t, text, words.ExitOK, words.ExitFault, words.ExitUsage, words.ExitUnreachable)
	manualtest.Variables(t, text, manualtest.VariablesIn(t, ".", root("internal/broker/datadir")))
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
		{Line: name + " ", Want: []string{"serve", "setup-token", "clock", "version"}, Never: []string{"file.txt"}},
		{Line: name + " se", Want: []string{"serve", "setup-token"}, Never: []string{"clock"}},
		{Line: name + " serve --", Want: []string{"--data", "--listen", "--tls-cert", "--log-level", "--trusted-proxy"}, Never: []string{"--accept"}},
		{Line: name + " serve --log-level ", Want: []string{"debug", "info", "warn", "error"}},
		{Line: name + " serve --data fo", Want: []string{"folder"}},
		{Line: name + " serve --tls-cert f", Want: []string{"file.txt"}},
		{Line: name + " serve --listen "},
		{Line: name + " clock --", Want: []string{"--accept", "--data"}, Never: []string{"--listen"}},
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
	for flag, choices := range map[string][]string{
		"tls": {modeSelfSigned}, "log-level": {"debug", "info", "warn", "error"}, "log-format": {"text", "json"},
	} {
		if !p.Choose(flag, choices...) {
			t.Errorf("there is no --%s", flag)
		}
	}
	return p
}

// root is a path below the module's directory.
func root(path ...string) string { return filepath.Join(append([]string{"..", ".."}, path...)...) }

func TestExamples(t *testing.T) {
	t.Parallel()
	manualtest.Examples(t, definition(), func() any { return &grammar{} })
}
