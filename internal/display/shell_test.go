package display_test

import (
	"os/exec"
	"testing"

	"github.com/agentkeys/agentkeys/internal/display"
)

func TestWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/var/lib/agentkeys": "/var/lib/agentkeys", "https://mini.local:8420#spki-sha256-x": "https://mini.local:8420#spki-sha256-x",
		"": "''", "#x": "'#x'", "~": "'~'", "a b": "'a b'", "it's": `'it'\''s'`, "$(id)": "'$(id)'", "a;b": "'a;b'", "-\n": "'-\n'",
	} {
		if got := display.Word(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestWithoutSudo(t *testing.T) {
	t.Parallel()
	for hint, want := range map[string]string{
		"sudo systemctl stop x":                           "systemctl stop x",
		"sudo sed -i x y && sudo reboot":                  "sed -i x y && reboot",
		"mount it again: sudo umount -l DIR; sudo mount":  "mount it again: umount -l DIR; mount",
		"sudo -u pi agentkeys-daemon probe":               "sudo -u pi agentkeys-daemon probe",
		"on the broker's machine: df -h; sudo journalctl": "on the broker's machine: df -h; sudo journalctl",
		"agentkeys init (visudo is no sudo)":              "agentkeys init (visudo is no sudo)",
	} {
		if got := display.WithoutSudo(hint); got != want {
			t.Errorf("%s: %s", hint, got)
		}
	}
}

// A real shell gives back what was quoted.
func FuzzWord(f *testing.F) {
	for _, text := range []string{"", "a b", "it's", "$(id)", "`id`", "\\", "!x", "{a,b}", "*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range text {
			if r == 0 {
				t.Skip("no word of a command holds a NUL")
			}
		}
		out, err := exec.Command("sh", "-c", "printf %s "+display.Word(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q became %q: %v", text, out, err)
		}
	})
}
