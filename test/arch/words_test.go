package arch

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// ordinary are words that stand for many other things as well, such as an attribute of the
// log or the scheme of a URL. Their types hold them where they mean the word.
var ordinary = []string{
	"auto", "busy", "corrupt", "denied", "error", "file", "hung", "in_doubt", "keychain", "locked", "newer",
	"none", "ok", "stale", "unavailable", "unknown", "unlocked",
}

// otherMeanings are literals that are spelled like a word of package words and mean
// something else where they stand.
var otherMeanings = map[string][]string{
	"broker":         {"parked"},       // a session as the database holds it
	"broker/datadir": {".lock"},        // the lock of the broker's data directory
	"broker/sqlite":  {".lock"},        // the lock of a new database file
	"store":          {"session.json"}, // a file of an earlier version, in the home itself
}

// ownsWords are the packages that declare the words of an interface.
var ownsWords = []string{"words", "protocol"}

// TestWordsAreWrittenOnce holds that what programs, metrics and scripts agree on is a
// constant of package words: a second literal drifts away from it unseen.
func TestWordsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	tree := readTree(t)
	declared := wordsOf(tree["words"])
	if len(declared) == 0 {
		t.Fatal("package words declares nothing")
	}
	table := places()
	used := map[string][]string{}
	for name, p := range tree {
		if slices.Contains(ownsWords, name) || table[name].floor == tests {
			continue
		}
		for _, s := range p.sources {
			if s.isTest() {
				continue
			}
			for _, l := range literals(s.file) {
				switch word, constant := unquote(l), declared[unquote(l)]; {
				case constant == "", slices.Contains(ordinary, word):
				case slices.Contains(otherMeanings[name], word):
					used[name] = append(used[name], word)
				default:
					t.Errorf("%s: %q is words.%s", s.at(l), word, constant)
				}
			}
		}
	}
	for name, list := range otherMeanings {
		for _, word := range list {
			if !slices.Contains(used[name], word) {
				t.Errorf("%s does not write %q any more: take it out of the list", name, word)
			}
		}
	}
}

// wordsOf are the string constants of a package, with their names.
func wordsOf(p pkg) map[string]string {
	found := map[string]string{}
	for _, s := range p.sources {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, value := range spec.Values {
					if l, ok := value.(*ast.BasicLit); ok && l.Kind == token.STRING {
						found[unquote(l)] = spec.Names[i].Name
					}
				}
			}
			return true
		})
	}
	return found
}

// literals are the strings of a file that are neither import paths nor field tags.
func literals(file *ast.File) []*ast.BasicLit {
	var found []*ast.BasicLit
	tags := map[*ast.BasicLit]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			tags[n.Tag] = true
		case *ast.BasicLit:
			if n.Kind == token.STRING && !tags[n] {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

func unquote(l *ast.BasicLit) string {
	text, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return text
}

// TestWalletsArePrintedInOneForm holds that the mixed-case form of a wallet is understood
// and never printed: units, settings, labels and sockets have the lower-case one.
func TestWalletsArePrintedInOneForm(t *testing.T) {
	t.Parallel()
	for name, p := range readTree(t) {
		for _, s := range p.sources {
			if s.isTest() || name == "wallet" {
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "EIP55" {
					t.Errorf("%s: prints a wallet in mixed case", s.at(sel))
				}
				return true
			})
		}
	}
}
