package paths

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRootMakesNothingInAHomeThatSudoKept(t *testing.T) {
	t.Parallel()
	const pi = "/home/pi"
	owners := map[string]int{pi: 1000, "/root": 0, "/home/new": -1}
	system := filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		euid    int
		env     map[string]string
		system  string
		refused bool
	}{
		"sudo -E":                             {0, map[string]string{"HOME": pi, "SUDO_UID": "1000"}, system, true},
		"su, which says no SUDO_UID":          {0, map[string]string{"HOME": pi}, system, true},
		"sudo that sets HOME":                 {0, map[string]string{"HOME": "/root", "SUDO_UID": "1000"}, system, false},
		"the user itself":                     {1000, map[string]string{"HOME": pi}, system, false},
		"a HOME that is not there":            {0, map[string]string{"HOME": "/home/new"}, system, false},
		"AGENTKEYS_HOME, said on purpose":     {0, map[string]string{"HOME": pi, "AGENTKEYS_HOME": pi + "/keys"}, system, false},
		"a machine with the package, sudo -E": {0, map[string]string{"HOME": pi}, t.TempDir(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := func(path string) int { return owners[path] }
			err := mayMake(func(key string) string { return c.env[key] }, c.euid, owner, c.system)
			if errors.Is(err, ErrOthersHome) != c.refused || !c.refused && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheCommandToTypeInsteadOfSudo(t *testing.T) {
	t.Parallel()
	e := &OthersHomeError{Home: "/home/pi", User: "pi"}
	args := []string{"/usr/bin/agentkeys-daemon", "pair", "--broker", "https://mini.local:8420#spki-sha256-x", "--alias", "it's"}
	rest := `agentkeys-daemon pair --broker https://mini.local:8420#spki-sha256-x --alias 'it'\''s'`
	for want, env := range map[string]map[string]string{rest: {"SUDO_UID": "1000"}, "sudo -u pi " + rest: {}} {
		if got := e.Command(func(key string) string { return env[key] }, args); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	nameless := &OthersHomeError{Home: "/home/x", User: "#1000"}
	if got := nameless.Command(func(string) string { return "" }, []string{"agentkeys", "init"}); got != "sudo -u '#1000' agentkeys init" {
		t.Error(got)
	}
	if !strings.Contains(e.Error(), "/home/pi") || !strings.Contains(e.Error(), "pi") {
		t.Error(e)
	}
}

func TestAHomeIsForeignToRootWhereItsOwnerIsAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := os.Geteuid() != 0 // the directory is whose test this is
	if got := Foreign(filepath.Join(dir, "not", "there"), 0); got != want {
		t.Errorf("foreign: %v", got)
	}
	if Foreign(dir, 1000) {
		t.Error("only root works in other users' homes")
	}
}
