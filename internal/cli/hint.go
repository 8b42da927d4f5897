package cli

import (
	"os"
	"path/filepath"

	"github.com/agentkeys/agentkeys/internal/display"
)

// Typist is who types the commands of hints: the user of this process.
type Typist struct{ NoSudo bool }

// TypistOf looks for sudo in the directories of path, the value of PATH: a small system has
// none, and root needs none.
func TypistOf(path string) Typist {
	if os.Geteuid() != 0 {
		return Typist{}
	}
	for _, dir := range filepath.SplitList(path) {
		if info, err := os.Stat(filepath.Join(dir, "sudo")); err == nil && info.Mode().IsRegular() {
			return Typist{}
		}
	}
	return Typist{NoSudo: true}
}

// Hint is a command as the typist can type it.
func (ty Typist) Hint(text string) string {
	if ty.NoSudo {
		return display.WithoutSudo(text)
	}
	return text
}
