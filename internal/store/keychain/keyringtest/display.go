package keyringtest

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// Display is a private X server without a window manager: whatever opens a window on
// it is seen.
type Display struct {
	Name string // for DISPLAY
	*Process
}

// StartDisplay starts one.
func StartDisplay(t testing.TB) *Display {
	t.Helper()
	needs.Programs(t, "Xvfb", "xwininfo")
	numbers, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = numbers.Close() }() // read only
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + Dir(t)}
	cmd.ExtraFiles = []*os.File{write}
	p := start(t, cmd)
	_ = write.Close() // the server has its own
	number, err := bufio.NewReader(numbers).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb: %v: %s", err, p.errors)
	}
	return &Display{Name: ":" + strings.TrimSpace(number), Process: p}
}

// namedWindow is a line of xwininfo's tree: an id and a name in quotes.
var namedWindow = regexp.MustCompile(`^\s*0x[0-9a-f]+ "(.*)": \(`)

// toolkitSize is the size of windows that are never visible.
var toolkitSize = regexp.MustCompile(` (1x1|10x10)\+`)

// Windows are the names of all windows that have one, at any depth. What a toolkit
// makes for itself (selections, leaders) is left out.
func (d *Display) Windows() []string {
	d.t.Helper()
	var tree string
	waitFor(d.t, "xwininfo, which fails while a window is closed", func() bool {
		cmd := exec.Command("xwininfo", "-root", "-tree")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DISPLAY=" + d.Name}
		out, err := cmd.Output()
		tree = string(out)
		return err == nil
	})
	var names []string
	for line := range strings.Lines(tree) {
		m := namedWindow.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[1], "Qt Selection Owner") || toolkitSize.MatchString(line) {
			continue
		}
		names = append(names, m[1])
	}
	return names
}
