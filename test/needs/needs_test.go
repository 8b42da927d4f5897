package needs_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// witness is a test that only remembers how it was ended.
type witness struct {
	testing.TB
	skipped, failed string
}

func (w *witness) Helper()                      {}
func (w *witness) Skip(args ...any)             { w.skipped = fmt.Sprint(args...) }
func (w *witness) Fatalf(f string, args ...any) { w.failed = fmt.Sprintf(f, args...) }

func TestWhatIsMissing(t *testing.T) {
	const program, absent = "no-such-program-of-any-machine", "no-such-program-of-any-machine is not installed: make test-setup"
	for name, c := range map[string]struct{ required, skipped, failed string }{
		"nothing is required":    {skipped: absent},
		"another kind is":        {required: "root,mounts", skipped: absent},
		"this kind is":           {required: "root,programs", failed: absent + " (AGENTKEYS_REQUIRE=root,programs)"},
		"every kind is":          {required: "all", failed: absent + " (AGENTKEYS_REQUIRE=all)"},
		"a word that is no kind": {required: "program", skipped: absent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(needs.RequireVariable, c.required)
			w := &witness{TB: t}
			needs.Programs(w, program)
			if w.skipped != c.skipped || w.failed != c.failed {
				t.Errorf("skipped %q, failed %q", w.skipped, w.failed)
			}
		})
	}
}

func TestWhatIsThere(t *testing.T) {
	t.Parallel()
	w := &witness{TB: t}
	needs.Programs(w, "sh")
	needs.Paths(w, t.TempDir())
	needs.Absent(w, filepath.Join(t.TempDir(), "x"), "something")
	if w.skipped != "" || w.failed != "" {
		t.Errorf("skipped %q, failed %q", w.skipped, w.failed)
	}
}
