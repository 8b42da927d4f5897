package agent_test

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// sickCard fails writes and removals as it was told last.
type sickCard struct {
	mu            sync.Mutex
	write, remove error
}

func (c *sickCard) fail(write, remove error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write, c.remove = write, remove
}

func (c *sickCard) fault() (write, remove error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write, c.remove
}

// unwell gives the world's store that card; nil means that it works.
func (w *world) unwell(c *sickCard) {
	w.wrap = func(s agent.Store) agent.Store {
		return removing{faultyStore{s, func(string) error { write, _ := c.fault(); return write }}, c}
	}
}

type removing struct {
	faultyStore
	card *sickCard
}

func (r removing) RemoveFile(id session.ID, name string) error {
	if _, err := r.card.fault(); err != nil {
		return err
	}
	return r.Store.RemoveFile(id, name)
}

// offline makes the broker unreachable.
func (w *world) offline() {
	w.broker.set(func(b *fakeBroker) { b.fault = func(string) error { return protocol.ErrUnreachable } })
}

var takenAway = map[string]func(w *world){
	"scope":      func(w *world) { w.owner.scope("anthropic"); w.owner.publish(w.broker) },
	"the lease":  func(w *world) { w.owner.manifest.OfflineTTL = 0; w.owner.publish(w.broker) },
	"revocation": func(w *world) { w.broker.set(func(b *fakeBroker) { b.state = "ended" }) },
	"the credential": func(w *world) {
		delete(w.owner.records, "openrouter")
		w.owner.publish(w.broker)
	},
}

func TestWhatWasTakenAwayStaysAwayOnACardThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for card, fault := range map[string]error{"full": syscall.ENOSPC, "over its quota": syscall.EDQUOT, "busy": store.ErrBusy, "failing": syscall.EIO} {
		for what, take := range takenAway {
			t.Run(card+", "+what, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					c := &sickCard{}
					w.unwell(c)
					d := w.start()
					time.Sleep(time.Minute)
					expect(t, "before", d.value("openrouter"), "sk-1")
					c.fail(fault, nil)
					take(w)
					time.Sleep(time.Minute)
					_ = d.stop()
					w.offline()
					d = w.start()
					time.Sleep(time.Minute)
					if got := d.value("openrouter"); got == "sk-1" {
						t.Fatal("served again after a restart without the broker")
					}
				})
			})
		}
	}
}

func TestAFullCardAloneTakesNothingAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := &sickCard{}
		w.unwell(c)
		d := w.start()
		time.Sleep(time.Minute)
		c.fail(syscall.ENOSPC, nil)
		time.Sleep(9 * time.Hour)
		_ = d.stop()
		w.offline()
		d = w.start()
		time.Sleep(time.Minute)
		expect(t, "after a restart", d.value("openrouter"), "sk-1")
	})
}

func TestACacheThatCannotEvenBeRemovedIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	for what, take := range takenAway {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				c := &sickCard{}
				w.unwell(c)
				d := w.start()
				time.Sleep(time.Minute)
				c.fail(syscall.EROFS, syscall.EROFS)
				take(w)
				time.Sleep(time.Minute)
				told := ""
				for _, s := range d.Status().Conditions {
					if s.Code == string(condition.StateReadOnly) {
						told = s.Message
					}
				}
				if !strings.Contains(told, "cache.json") {
					t.Fatalf("the condition says %q", told)
				}
				c.fail(syscall.EROFS, nil)
				time.Sleep(2 * time.Minute)
				_, err := w.store.ReadFile(w.id, "cache.json")
				expect(t, "the cache is gone", err != nil, true)
				c.fail(nil, nil)
				time.Sleep(2 * time.Minute)
				expect(t, "condition", d.conditions.Has(condition.StateReadOnly), false)
			})
		})
	}
}
