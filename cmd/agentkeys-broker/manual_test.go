package main

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/manual"
	"github.com/agentkeys/agentkeys/internal/manual/manualtest"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/words"
)

var update = flag.Bool("update", false, "write man pages and completions")

const program = "agentkeys-broker"

func TestManPage(t *testing.T) {
	t.Parallel()
	text := manualtest.ReadText(t, root("docs/man", program+".1.txt"))
	manualtest.ExitCodes(t, text, words.ExitOK, words.ExitFault, words.ExitUsage, words.ExitUnreachable)
	manualtest.Variables(t, text, manualtest.VariablesIn(t, ".", root("internal/broker/datadir")))
	page, err := manual.Page(definition(t), text)
	if err != nil {
		t.Fatal(err)
	}
	manualtest.Page(t, *update, root("docs/man", program+".1"), page)
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	p := definition(t)
	manualtest.Files(t, *update, root(), p)
	manualtest.Tab(t, p, []manualtest.Press{
		{Line: program + " ", Want: []string{"serve", "setup-token", "clock", "version", "help"}, Never: []string{"file.txt"}},
		{Line: program + " se", Want: []string{"serve", "setup-token"}, Never: []string{"clock"}},
		{Line: program + " serve --", Want: []string{"--data", "--listen", "--tls-cert", "--log-level", "--trusted-proxy"}, Never: []string{"--accept"}},
		{Line: program + " serve --log-level ", Want: []string{"debug", "info", "warn", "error"}},
		{Line: program + " serve --data fo", Want: []string{"folder"}},
		{Line: program + " serve --tls-cert f", Want: []string{"file.txt"}},
		{Line: program + " serve --listen "},
		{Line: program + " clock --", Want: []string{"--accept", "--data"}, Never: []string{"--listen"}},
	})
}

// definition is what `agentkeys-broker help` says. That it is true of the flags is
// asked of the program for each of them; that it names them all is in
// TestHelpNamesWhatThereIs.
func definition(t *testing.T) manual.Program {
	t.Helper()
	p := manual.Program{Name: program, Flags: []manual.Flag{manual.Help()}}
	helps := map[string]string{} // of the flags that have a line of their own
	lastFlag := ""
	for line := range strings.Lines(usage) {
		left, help := columns(line)
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(left, program+" "):
			words = strings.Fields(left)
			p.Commands = append(p.Commands, commandOf(t, words[1], words[2:], help))
			lastFlag = ""
		case strings.HasPrefix(line, flagIndent+"--"):
			c := &p.Commands[len(p.Commands)-1]
			own := 1 // words that are not help
			if takesValue(t, c.Name, words[0]) {
				own = 2
			}
			lastFlag = words[0]
			helps[lastFlag] = strings.Join(words[own:], " ")
			c.Flags = append(c.Flags, flagsOf(t, c.Name, words[:own], true)...)
		case len(words) > 0 && lastFlag != "":
			helps[lastFlag] += " " + strings.Join(words, " ")
		case len(words) > 0 && len(p.Commands) > 0:
			p.Commands[len(p.Commands)-1].Help += " " + strings.Join(words, " ")
		}
	}
	for i := range p.Commands {
		settle(&p.Commands[i], helps)
		if p.Commands[i].Name == "version" {
			p.Commands[i].Help = "say which build this is"
		}
	}
	p.Commands = append(p.Commands, manual.Command{Name: "help", Help: "say what there is"})
	for name, choices := range map[string][]string{"log-level": {"debug", "info", "warn", "error"}, "log-format": {"text", "json"}} {
		if !p.Choose(name, choices...) {
			t.Errorf("there is no --%s", name)
		}
	}
	return p
}

// flagIndent stands before a flag's line; the lines that go on with its help are
// indented further.
const flagIndent = "      "

// columns cuts a line of the help where two blanks or more stand.
func columns(line string) (left, help string) {
	left, help, _ = strings.Cut(strings.TrimSpace(line), "  ")
	return left, strings.TrimSpace(help)
}

func commandOf(t *testing.T, name string, words []string, help string) manual.Command {
	t.Helper()
	c := manual.Command{Name: name, Help: help, Flags: flagsOf(t, name, words, false)}
	for i, w := range words {
		if isName(w) && (i == 0 || !takesValue(t, name, words[i-1])) {
			c.Operands = append(c.Operands, manual.Operand{Name: w, Takes: manual.KindOf(w)})
		}
	}
	return c
}

// flagsOf reads `--data DIR`, `[--listen 127.0.0.1:8420]` and `--accept`. What stands
// in no brackets is needed, unless it has a line of its own.
func flagsOf(t *testing.T, command string, words []string, ownLine bool) []manual.Flag {
	t.Helper()
	var list []manual.Flag
	for i, w := range words {
		name, dashes := strings.CutPrefix(strings.Trim(w, "[]"), "--")
		if !dashes {
			continue
		}
		f := manual.Flag{Name: name, Needed: !ownLine && w[0] != '['}
		if takesValue(t, command, w) {
			switch f.Value = "VALUE"; {
			case i+1 < len(words) && isName(words[i+1]):
				f.Value = words[i+1]
			case ownLine: // the one value that there is
				f.Value, f.Choices = words[1], words[1:]
			}
		}
		list = append(list, f)
	}
	return list
}

var namePattern = regexp.MustCompile(`\A[A-Z][A-Z0-9_]*\z`)

func isName(word string) bool { return namePattern.MatchString(word) }

// settle joins what the help says of one flag in two places, and gives each its text:
// its own line, else that of the same flag elsewhere, else what the command does.
func settle(c *manual.Command, helps map[string]string) {
	var list []manual.Flag
	for _, f := range c.Flags {
		f.Help = helps["--"+f.Name]
		if f.Help == "" {
			f.Help = c.Help
		}
		f.Repeats = strings.Contains(f.Help, "may be repeated")
		at := slices.IndexFunc(list, func(o manual.Flag) bool { return o.Name == f.Name })
		if at < 0 {
			list = append(list, f)
			continue
		}
		list[at].Needed = list[at].Needed || f.Needed
		if list[at].Value == "VALUE" {
			list[at].Value, list[at].Choices = f.Value, f.Choices
		}
	}
	c.Flags = list
}

// takesValue asks the program itself, which refuses each of these before it does
// anything: a flag without its value, and a switch with one.
func takesValue(t *testing.T, command, word string) bool {
	t.Helper()
	word = strings.Trim(word, "[]")
	if !strings.HasPrefix(word, "--") {
		return false
	}
	refusal := func(arg string) string {
		if err := dispatch(t.Context(), []string{command, arg}, nil, stdio.NewOutput(io.Discard), io.Discard); err != nil {
			return err.Error()
		}
		return ""
	}
	if strings.Contains(refusal(word), "flag needs an argument") {
		return true
	}
	if !strings.Contains(refusal(word+"=neither"), "invalid boolean value") {
		t.Errorf("help says %s %s, and the program: %s", command, word, refusal(word+"=neither"))
	}
	return false
}

// TestHelpNamesWhatThereIs reads the code: every command of dispatch and every flag
// that is defined somewhere is in the help.
func TestHelpNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	p := definition(t)
	var commands, flags []string
	for _, c := range p.Commands {
		commands = append(commands, c.Name)
		for _, f := range c.Flags {
			flags = append(flags, f.Name)
		}
	}
	haveCommands, haveFlags := inCode(t)
	for what, pair := range map[string][2][]string{"commands": {haveCommands, commands}, "flags": {haveFlags, flags}} {
		if diff := cmp.Diff(unique(pair[0]), unique(pair[1])); diff != "" {
			t.Errorf("%s (-code +help):\n%s", what, diff)
		}
	}
}

func unique(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

func inCode(t *testing.T) (commands, flags []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				flags = append(flags, flagIn(n)...)
			case *ast.FuncDecl:
				if n.Name.Name == "dispatch" {
					commands = append(commands, casesIn(n)...)
				}
			}
			return true
		})
	}
	return commands, flags
}

var definePattern = regexp.MustCompile(`\A(String|Bool|Int|Int64|Uint|Uint64|Float64|Duration|Text)?(Var)?\z|\A(Bool)?Func\z`)

// flagIn finds the name in f.String("data", "", ""), f.BoolVar(&x, "accept", ...).
func flagIn(call *ast.CallExpr) []string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) < 3 || !definePattern.MatchString(method.Sel.Name) {
		return nil
	}
	for _, arg := range call.Args[:2] {
		if name, ok := literal(arg); ok {
			return []string{name}
		}
	}
	return nil
}

// casesIn lists the words of a switch, without those that begin with a dash.
func casesIn(f *ast.FuncDecl) (words []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				if word, ok := literal(e); ok && !strings.HasPrefix(word, "-") {
					words = append(words, word)
				}
			}
		}
		return true
	})
	return words
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// root is a path below the module's directory.
func root(path ...string) string { return filepath.Join(append([]string{"..", ".."}, path...)...) }
