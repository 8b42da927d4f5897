package agent

import (
	"context"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/words"
)

// word is what the owner's word in a cache is known by. Whatever the owner takes away,
// scope, credential, lease or the session, changes it.
type word struct {
	revision uint64 // of the manifest
	ended    bool
}

// card is what is known of the cache on the card.
type card struct {
	tried  time.Time     // last write, or the last try
	failed bool          // it did not succeed
	holds  *word         // what the file says; nil: there is none that counts
	covers time.Duration // of the lease, in the file or by what a start adds to it
}

func (c *card) wrote(w word, covers time.Duration) { c.holds, c.covers = &w, covers }

// word is the owner's word that is in force.
func (f facts) word() word { return word{revision: f.revision(), ended: f.session.ended} }

// dropStale removes a cache that could not be replaced and that says another word of the
// owner than the one in force: after a restart without the broker it would serve what was
// taken away. Removing it needs no room.
func (c *cache) dropStale() {
	if c.card.holds == nil || *c.card.holds == c.view.now().word() {
		return
	}
	err := c.files.RemoveFile(c.id, words.FileCache)
	if c.disk.stale.Store(err != nil); err != nil {
		c.logger.Error("a cache of before the owner's last change stays", "error", err)
		return
	}
	c.card.holds = nil
}

// due is when the cache is to be written: at once at the start, so that a start costs
// its part of the lease; without the broker before the time is over that the file covers.
func (c *cache) due() time.Time {
	f, soon, later := c.view.now(), c.card.tried.Add(diskRetry), c.card.tried.Add(cacheEvery)
	answers := f.online || f.parked
	switch {
	case c.card.failed || c.disk.bad.Load():
		return soon
	case f.session.ended:
		return time.Now().Add(cacheEvery) // said already
	case answers && c.card.covers >= leaseStale:
		return soon
	case answers || f.over || f.manifest == nil:
		return later
	}
	if over := f.lease.since.Add(c.card.covers - f.lease.saved - leaseMargin); over.Before(later) {
		return over
	}
	return later
}

// keep writes the cache where that is due.
func (c *cache) keep() {
	if !time.Now().Before(c.due()) {
		c.save()
	}
}

// rest is a pause of d in which the cache is kept.
func (c *cache) rest(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(d); ctx.Err() == nil && time.Now().Before(end); c.keep() {
		retry.Pause(ctx, max(min(time.Until(end), time.Until(c.due())), time.Second))
	}
}
