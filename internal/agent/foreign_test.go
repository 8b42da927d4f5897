package agent_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/condition"
)

// A file of the slot that refuses every write is named while the daemon runs, and no more
// once it is mended.
func TestASlotThatRefusesTheCacheIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		cache := filepath.Join(w.store.Dir(w.id), "cache.json")
		d := w.start()
		time.Sleep(time.Minute)
		expect(t, "sound", d.conditions.Has(condition.SlotInsecure), false)
		if err := os.Chmod(cache, 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		expect(t, "refused", d.conditions.Has(condition.SlotInsecure), true)
		expect(t, "state", d.state(), "online")
		if err := os.Chmod(cache, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		expect(t, "mended", d.conditions.Has(condition.SlotInsecure), false)
	})
}
