package doctor_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/display"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

// board is a machine with three agents, of which one is broken: its slot is open to others, and its
// daemon cannot write.
func board() []doctor.Report {
	var all []doctor.Report
	for _, a := range []struct {
		digit, alias string
		change       func(*doctor.Facts)
	}{
		{"1", "hermes", func(*doctor.Facts) {}},
		{"2", "", func(f *doctor.Facts) { f.Boot.Installed = false }},
		{"3", strings.Repeat("a-long-alias-", 5)[:63], func(f *doctor.Facts) {
			says(words.StateOnline, "", condition.StateReadOnly)(f)
			f.Slot.Insecure = []doctor.Insecure{{Path: f.Slot.Path + "/session.json", What: "mode 0644", Fix: "chmod 0600 " + f.Slot.Path + "/session.json"}}
		}},
	} {
		f := healthy()
		w := "0x" + strings.Repeat(a.digit, 40)
		f.Wallet, f.SessionID = w, "daemon-"+w
		f.Clock.Synced = false
		f.Slot.Path = "/var/lib/agentkeys/daemon-" + w
		a.change(&f)
		r := doctor.Examine(f)
		r.Alias = a.alias
		all = append(all, r)
	}
	return all
}

// marks shows where colours would be.
type marks struct{}

func (marks) Good(word string) string { return "<" + word + ">" }
func (marks) Warn(word string) string { return "{" + word + "}" }
func (marks) Bad(word string) string  { return "[" + word + "]" }

func TestDoctorOfABoard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		view doctor.View
	}{
		{"80", doctor.View{Width: 80, More: "agentkeys-daemon doctor --verbose"}},
		{"120", doctor.View{Width: 120, More: "agentkeys-daemon doctor --verbose"}},
		{"pipe", doctor.View{More: "agentkeys-daemon doctor --verbose"}},
		{"verbose", doctor.View{Width: 80, Verbose: true, Paint: marks{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := c.view.Print(&out, board()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "board-"+c.name+".txt")
			if *update {
				if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("-golden +said (-update to accept):\n%s", diff)
			}
			fits(t, c.name, out.String())
		})
	}
}

// fits looks at every line but commands, paths and units, which must be copied whole.
func fits(t *testing.T, name, text string) {
	t.Helper()
	width, err := strconv.Atoi(name)
	if err != nil {
		return
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if display.Width(line) > width && !strings.Contains(line, "try: ") && !strings.Contains(line, "daemon-0x") && !strings.Contains(line, "daemon@0x") {
			t.Errorf("%d columns: %q", width, line)
		}
	}
}

func TestForeignTextCannotMoveTheCursor(t *testing.T) {
	t.Parallel()
	f := healthy()
	f.Broker.Away = "dial tcp: refused\n\x1b[2Jgone"
	r := doctor.Examine(f)
	r.Alias = "her\x1b[2Jmes"
	var out bytes.Buffer
	if err := (doctor.View{Verbose: true, Width: 80}).Print(&out, []doctor.Report{r}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Errorf("%q", out.String())
	}
}
