package main

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/manual"
	"github.com/agentkeys/agentkeys/test/manual/manualtest"
)

var update = flag.Bool("update", false, "write man pages and completions")

// described is what kong read from the grammar, for the page and the completions.
func described(t *testing.T) manual.Program {
	t.Helper()
	app, err := definition().Model(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	p := manual.FromKong(app)
	if !p.Choose("action", actions(t)...) {
		t.Error("there is no --action")
	}
	return p
}

// actions reads them from the refusal of one that is none.
func actions(t *testing.T) []string {
	t.Helper()
	_, list, ok := strings.Cut(checkAction("none").Error(), " is none of ")
	if !ok {
		t.Fatal("the refusal lists no actions")
	}
	return strings.Split(list, ", ")
}

func TestManPage(t *testing.T) {
	t.Parallel()
	text := manualtest.ReadText(t, root("docs/man/agentkeys.1.txt"))
	manualtest.ExitCodes(t, text, words.ExitOK, words.ExitFault, words.ExitUsage, words.ExitUnreachable, words.ExitDenied, words.ExitNoSession, words.ExitNotExecutable, words.ExitNoProgram)
	manualtest.Variables(t, text, manualtest.VariablesIn(t, ".", root("internal/paths"), root("internal/owner"), root("internal/doctor/checkup")))
	page, err := manual.Page(described(t), text)
	if err != nil {
		t.Fatal(err)
	}
	manualtest.Page(t, *update, root("docs/man/agentkeys.1"), page)
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	p := described(t)
	manualtest.Files(t, *update, root(), p)
	manualtest.Tab(t, p, []manualtest.Press{
		{Line: "agentkeys ", Want: []string{"init", "approve", "store", "run", "doctor", "version"}, Never: []string{"file.txt"}},
		{Line: "agentkeys re", Want: []string{"read", "remove", "reopen", "revoke"}, Never: []string{"run"}},
		{Line: "agentkeys --json --wallet run s", Want: []string{"store", "scope"}},
		{Line: "agentkeys store --", Want: []string{"--from-file", "--agent", "--json"}, Never: []string{"--yes"}},
		{Line: "agentkeys store openrouter --from-file fi", Want: []string{"file.txt"}},
		{Line: "agentkeys store "},
		{Line: "agentkeys usage --action access_", Want: []string{"access_granted", "access_denied"}, Never: []string{"revoked"}},
		{Line: "agentkeys revoke --w", Want: []string{"--wipe-keys", "--wallet"}},
		{Line: "agentkeys run --files -- cat f", Want: []string{"file.txt"}},
		{Line: "agentkeys run -- ech", Want: []string{"echo"}},
	})
}

// root is a path below the module's directory.
func root(path ...string) string { return filepath.Join(append([]string{"..", ".."}, path...)...) }

func TestExamples(t *testing.T) {
	t.Parallel()
	manualtest.Examples(t, definition(), func() any { return &grammar{} })
}
