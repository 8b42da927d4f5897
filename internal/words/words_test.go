package words_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/words"
)

// constants are the values of every constant of one type, as this package declares them.
func constants(t *testing.T, of string) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != of {
				return true
			}
			for _, value := range spec.Values {
				word, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, word)
			}
			return true
		})
	}
	return found
}

func text[W ~string](list []W) []string {
	out := make([]string, len(list))
	for i, word := range list {
		out[i] = string(word)
	}
	return out
}

// A list that forgets a constant would let a metric or a client call the word unknown.
func TestEachListHoldsEachConstant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		list   []string
		absent []string // constants that stand in place of a word
	}{
		"State":         {text(words.States()), text([]words.State{words.StateNotRunning, words.StateNoAnswer, words.StateUnknown})},
		"KeychainState": {list: text(words.KeychainStates())},
		"Backend":       {list: text(words.Backends())},
		"StoreResult":   {list: text(words.StoreResults())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(constants(t, name), append(tt.list, tt.absent...)); diff != "" {
				t.Errorf("-declared +listed:\n%s", diff)
			}
		})
	}
}
