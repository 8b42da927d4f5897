// Package manualtest has the tests of a program's man page and completions: it compares them
// with the files in the repository, has groff and mandoc read the page, and presses Tab in a
// real bash, zsh and fish.
package manualtest

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/cli"
	"github.com/agentkeys/agentkeys/test/manual"
	"github.com/agentkeys/agentkeys/test/needs"
)

// Golden compares text with a file, or writes the file if update is set.
func Golden(t *testing.T, update bool, path, text string) {
	t.Helper()
	if update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (`make docs` writes it)", err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s is stale (-file +definitions); `make docs` writes it anew:\n%s", filepath.Base(path), diff)
	}
}

// ReadText reads a hand-written part.
func ReadText(t *testing.T, path string) manual.Text {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := manual.ParseText(string(data))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return text
}

// Page compares a page with its file, and has the file checked by Lint.
func Page(t *testing.T, update bool, path, page string) {
	t.Helper()
	Golden(t, update, path, page)
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	Lint(t, absolute)
}

// ExitCodes requires the items of EXIT STATUS to be these codes.
func ExitCodes(t *testing.T, text manual.Text, codes ...int) {
	t.Helper()
	var want []string
	for _, code := range codes {
		want = append(want, strconv.Itoa(code))
	}
	section := text.Section("EXIT STATUS")
	if section == nil {
		t.Fatal("no section EXIT STATUS")
	}
	if diff := cmp.Diff(want, section.Terms()); diff != "" {
		t.Errorf("EXIT STATUS (-program +page):\n%s", diff)
	}
}

var variablePattern = regexp.MustCompile(`\bAGENTKEYS_[A-Z_]+\b`)

// VariablesIn lists the AGENTKEYS_ variables that appear in the code of these directories.
func VariablesIn(t *testing.T, dirs ...string) []string {
	t.Helper()
	var found []string
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no code in %s: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, variablePattern.FindAllString(string(code), -1)...)
		}
	}
	return found
}

// Variables requires the AGENTKEYS_ variables in the items of ENVIRONMENT to be these.
func Variables(t *testing.T, text manual.Text, want []string) {
	t.Helper()
	section := text.Section("ENVIRONMENT")
	if section == nil {
		t.Fatal("no section ENVIRONMENT")
	}
	got := variablePattern.FindAllString(strings.Join(section.Terms(), " "), -1)
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(slices.Sorted(slices.Values(want))), got); diff != "" {
		t.Errorf("ENVIRONMENT (-program +page):\n%s", diff)
	}
}

// Files compares a program's completions with those of packaging/completions.
func Files(t *testing.T, update bool, root string, p manual.Program) {
	t.Helper()
	for name, text := range scripts(p) {
		Golden(t, update, filepath.Join(root, "packaging", "completions", name), text)
	}
}

func scripts(p manual.Program) map[string]string {
	return map[string]string{p.Name + ".bash": manual.Bash(p), "_" + p.Name: manual.Zsh(p), p.Name + ".fish": manual.Fish(p)}
}

// Lint has man (as lintian does) and mandoc read a page. Neither may report anything.
func Lint(t *testing.T, path string) {
	t.Helper()
	t.Run("man", func(t *testing.T) {
		t.Parallel()
		needs.Linux(t) // the flags are those of man-db
		if said := run(t, "man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path).stderr; said != "" {
			t.Error(said)
		}
	})
	t.Run("mandoc", func(t *testing.T) {
		t.Parallel()
		for line := range strings.Lines(run(t, "mandoc", "-T", "lint", path).stdout) {
			// The page has no date on purpose, so that it depends on the definitions alone.
			if !strings.Contains(line, "missing date") {
				t.Error(line)
			}
		}
	})
}

type output struct{ stdout, stderr string }

// run runs a tool of the machine in an environment of its own. Only its output counts.
func run(t *testing.T, tool string, args ...string) output {
	t.Helper()
	needs.Programs(t, tool)
	cmd := exec.CommandContext(t.Context(), tool, args...)
	home := t.TempDir()
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=80", "TERM=xterm"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // mandoc's exit code repeats what its output says
	return output{stdout.String(), stderr.String()}
}

// Examples holds that each command has an example that the program would take, and a help
// page of at most 80 columns.
func Examples(t *testing.T, p cli.Program, grammar func() any) {
	t.Helper()
	app, err := p.Model(grammar())
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range app.Children {
		if node.Hidden {
			continue // what the program does without a command
		}
		line, ok := p.Examples[node.Name]
		if !ok {
			t.Errorf("%s has no example", node.Name)
			continue
		}
		if _, after, piped := strings.Cut(line, " | "); piped {
			line = after
		}
		args := strings.Fields(line)
		if args[0] != p.Name || args[1] != node.Name {
			t.Errorf("the example of %s is of another command: %s", node.Name, line)
		}
		if _, err := p.Parse(grammar(), args[1:], io.Discard, io.Discard); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		var page strings.Builder
		if _, err := p.Parse(grammar(), []string{"help", node.Name}, &page, io.Discard); err != nil {
			t.Errorf("help %s: %v", node.Name, err)
		}
		for line := range strings.Lines(page.String()) {
			if len(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("help %s is wider than 80 columns: %s", node.Name, line)
			}
		}
	}
}
