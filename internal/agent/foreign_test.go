package agent_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

// Files and directory of the slot are examined while the daemon runs, also where it does not
// write them for hours: what is wrong is named within a minute, and no more once it is mended.
func TestAnInsecureSlotIsNamedWhileTheDaemonRuns(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]os.FileMode{"cache.json": 0o644, "session.json": 0o640, ".": 0o755} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				path := filepath.Join(w.store.Dir(w.id), name)
				d := w.start()
				time.Sleep(2 * time.Minute)
				expect(t, "sound", d.conditions.Has(condition.SlotInsecure), false)
				info := must(os.Stat(path))(t)
				writes := w.generation()
				for range 2 {
					if err := os.Chmod(path, wrong); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute + time.Second)
					expect(t, "named", d.conditions.Has(condition.SlotInsecure), true)
					expect(t, "state", d.state(), "online")
					expect(t, "value", d.value("openrouter"), "sk-1")
					if err := os.Chmod(path, info.Mode().Perm()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute + time.Second)
					expect(t, "mended", d.conditions.Has(condition.SlotInsecure), false)
				}
				expect(t, "saves", w.generation(), writes)
			})
		})
	}
}

// What is wrong stays named for as long as it is.
func TestAnInsecureSlotStaysNamed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d := w.start()
		if err := os.WriteFile(filepath.Join(w.store.Dir(w.id), "notes"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the slot is looked at on the minute
		for range 30 * 60 {
			time.Sleep(time.Minute)
			expect(t, "named", d.conditions.Has(condition.SlotInsecure), true)
		}
	})
}
