package main

import (
	"flag"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/settings"
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
	for flag, choices := range map[string][]string{
		"session-store": {"auto", "file", "keychain"}, "allow-root": {"true", "false"},
		"log-level": {"debug", "info", "warn", "error"}, "log-format": {"text", "json"},
	} {
		if !p.Choose(flag, choices...) {
			t.Errorf("there is no --%s", flag)
		}
	}
	return p
}

func TestManPage(t *testing.T) {
	t.Parallel()
	text := manualtest.ReadText(t, root("docs/man", name+".1.txt"))
	manualtest.ExitCodes(t, text, words.ExitOK, words.ExitFault, words.ExitUsage, words.ExitUnreachable, words.ExitDenied, words.ExitNoSession)
	variables := manualtest.VariablesIn(t, ".", root("internal/paths"), root("internal/doctor/checkup"))
	for _, key := range settings.Keys() {
		variables = append(variables, variable(key))
	}
	manualtest.Variables(t, text, variables)
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
		{Line: name + " ", Want: []string{"run", "pair", "recover", "status", "wait", "probe", "doctor", "forget", "version"}},
		{Line: name + " re", Want: []string{"recover"}, Never: []string{"run"}},
		{Line: name + " --log-level ", Want: []string{"debug", "info", "warn", "error"}},
		{Line: name + " --json run --session-store ", Want: []string{"auto", "file", "keychain"}},
		{Line: name + " pair --", Want: []string{"--alias", "--scope", "--broker", "--json", "--help"}, Never: []string{"--yes", "--timeout"}},
		{Line: name + " forget --y", Want: []string{"--yes"}},
		{Line: name + " recover "},
	})
}

// TestSettingsManPage is the page of the settings' files. What is said of each key by
// hand is joined by its default, variable and flag.
func TestSettingsManPage(t *testing.T) {
	t.Parallel()
	const page = "agentkeys-daemon.toml"
	text := manualtest.ReadText(t, root("docs/man", page+".5.txt"))
	keys := text.Section("KEYS")
	if keys == nil {
		t.Fatal("no section KEYS")
	}
	want := append(settings.Keys(), "[credentials.<service>] allow")
	if diff := cmp.Diff(want, keys.Terms()); diff != "" {
		t.Fatalf("KEYS (-settings +page):\n%s", diff)
	}
	defaults := defaultsOf(t)
	for i, key := range settings.Keys() {
		keys.Blocks[i].Text += " Default: " + defaults[key] + ". Variable `" + variable(key) + "`, flag `--" + strings.ReplaceAll(key, "_", "-") + "`."
	}
	manualtest.Page(t, *update, root("docs/man", page+".5"), manual.Roff(page, 5, text))
}

// TestSettingsExamplesAreGood loads each example of the page, and wants every key in one.
func TestSettingsExamplesAreGood(t *testing.T) {
	t.Parallel()
	text := manualtest.ReadText(t, root("docs/man/agentkeys-daemon.toml.5.txt"))
	seen := map[string]bool{}
	for _, b := range text.Section("EXAMPLES").Blocks {
		if b.Kind != manual.Literal {
			continue
		}
		_, origins := load(t, b.Text)
		for key, origin := range origins {
			seen[key] = seen[key] || origin != "default"
		}
	}
	for _, key := range append(settings.Keys(), "credentials.openrouter") {
		if !seen[key] {
			t.Errorf("no example sets %s", key)
		}
	}
}

func load(t *testing.T, file string) (settings.Settings, settings.Origins) {
	t.Helper()
	set, origins, err := settings.Load(settings.Source{
		Dir: "/etc/agentkeys", Getenv: func(string) string { return "" }, CanonicalURL: brokerclient.CanonicalURL,
		ReadFile: func(string) ([]byte, error) {
			if file == "" {
				return nil, fs.ErrNotExist
			}
			return []byte(file), nil
		},
	})
	if err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	return set, origins
}

var printedPattern = regexp.MustCompile(`(?m)^(\w+) = ("(?:[^"\\]|\\.)*")  # default$`)

// defaultsOf reads what --print-config shows where nothing is set.
func defaultsOf(t *testing.T) map[string]string {
	t.Helper()
	var out strings.Builder
	set, origins := load(t, "")
	set.Print(&out, origins)
	found := map[string]string{}
	for _, m := range printedPattern.FindAllStringSubmatch(out.String(), -1) {
		value, err := strconv.Unquote(m[2])
		if err != nil {
			t.Fatal(err)
		}
		if value == "" {
			value = "none"
		}
		found[m[1]] = value
	}
	if got := slices.Sorted(maps.Keys(found)); len(got) != len(settings.Keys()) {
		t.Fatalf("defaults of %v", got)
	}
	return found
}

func variable(key string) string { return "AGENTKEYS_" + strings.ToUpper(key) }

// root is a path below the module's directory.
func root(path ...string) string { return filepath.Join(append([]string{"..", ".."}, path...)...) }

func TestExamples(t *testing.T) {
	t.Parallel()
	manualtest.Examples(t, definition(), func() any { return &grammar{} })
}
