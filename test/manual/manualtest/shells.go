package manualtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/manual"
	"github.com/agentkeys/agentkeys/test/needs"
)

// Press is what Tab after Line must offer: all of Want, and none of Never.
type Press struct {
	Line  string
	Want  []string
	Never []string
}

// Tab presses Tab in each of the shells, with the scripts of p, in a directory
// that holds file.txt and folder/.
func Tab(t *testing.T, p manual.Program, presses []Press) {
	t.Helper()
	for _, shell := range []struct {
		name string
		ask  func(*testing.T, manual.Program, []Press) []string
	}{{"bash", askBash}, {"bash with bash-completion", askBashCompletion}, {"zsh", askZsh}, {"fish", askFish}} {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			for i, answer := range shell.ask(t, p, presses) {
				presses[i].check(t, strings.Fields(strings.ReplaceAll(answer, "/\n", "\n")))
			}
		})
	}
}

func (p Press) check(t *testing.T, offered []string) {
	t.Helper()
	for _, want := range p.Want {
		if !slices.Contains(offered, want) {
			t.Errorf("%q: %s is not among %v", p.Line, want, offered)
		}
	}
	for _, never := range p.Never {
		if slices.Contains(offered, never) {
			t.Errorf("%q: %s is offered", p.Line, never)
		}
	}
	if len(p.Want) == 0 && len(p.Never) == 0 && len(offered) > 0 {
		t.Errorf("%q: nothing should be offered, not %v", p.Line, offered)
	}
}

// answers splits the output of a shell into one text for each press.
func answers(t *testing.T, out output, count int) []string {
	t.Helper()
	parts := strings.Split(out.stdout, mark+"\n")
	if len(parts) != count+1 {
		t.Fatalf("%d answers to %d questions\n%s\n%s", len(parts)-1, count, out.stdout, out.stderr)
	}
	if out.stderr != "" {
		t.Errorf("the shell complains: %s", out.stderr)
	}
	return parts[:count]
}

const mark = "=====answered====="

// askBash asks a bash that has only our script.
func askBash(t *testing.T, p manual.Program, presses []Press) []string {
	t.Helper()
	return pressBash(t, p, presses, "")
}

// bashCompletion is a package that most machines have. With it, the program after -- is
// completed by the completion of that program.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

func askBashCompletion(t *testing.T, p manual.Program, presses []Press) []string {
	t.Helper()
	needs.Paths(t, bashCompletion)
	return pressBash(t, p, presses, "source "+bashCompletion+"; compopt() { :; }\n")
}

// pressBash calls the function that `complete` registered, with the words as readline splits
// them. compopt works only while readline completes.
func pressBash(t *testing.T, p manual.Program, presses []Press, first string) []string {
	t.Helper()
	dir := place(t, p)
	var b strings.Builder
	b.WriteString(first + "cd " + dir + "/files; source ../" + p.Name + ".bash\n")
	b.WriteString("registered=$(complete -p " + p.Name + "); function=${registered#complete -F }; function=${function% *}\n")
	for _, press := range presses {
		words := bashWords(press.Line)
		b.WriteString("COMP_LINE=" + quote(press.Line) + " COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_KEY=9\n")
		b.WriteString("COMP_WORDS=(" + strings.Join(each(words, quote), " ") + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()\n")
		b.WriteString("$function " + p.Name + ` "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"` + "\n")
		b.WriteString("printf '%s\\n' \"${COMPREPLY[@]}\" " + mark + "\n")
	}
	return answers(t, run(t, "bash", "--norc", "--noprofile", "-c", b.String()), len(presses))
}

// bashWords splits a line at blanks, and at = and : as COMP_WORDBREAKS says.
func bashWords(line string) []string {
	var words []string
	for _, word := range strings.Split(line, " ") {
		rest := word
		for {
			at := strings.IndexAny(rest, "=:")
			if at < 0 {
				break
			}
			if at > 0 {
				words = append(words, rest[:at])
			}
			words = append(words, rest[at:at+1])
			rest = rest[at+1:]
		}
		if rest != "" || !strings.HasSuffix(word, "=") {
			words = append(words, rest)
		}
	}
	return words
}

// askFish asks fish's completion engine, `complete -C`.
func askFish(t *testing.T, p manual.Program, presses []Press) []string {
	t.Helper()
	dir := place(t, p)
	script := "cd " + dir + "/files; source ../" + p.Name + ".fish\n"
	for _, press := range presses {
		script += "complete -C " + quote(press.Line) + " | string replace -r '\\t.*' ''\necho " + mark + "\n"
	}
	return answers(t, run(t, "fish", "--no-config", "-c", script), len(presses))
}

// place writes the scripts of p into a directory, and the files that Tab may offer.
func place(t *testing.T, p manual.Program) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "files", "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	all := scripts(p)
	all["files/file.txt"] = ""
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func each(words []string, f func(string) string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = f(w)
	}
	return out
}
