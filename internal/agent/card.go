package agent

import (
	"context"
	"time"

	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/words"
)

// word is what the owner's word in a cache is known by. Whatever the owner takes away,
// scope, credential, lease or the session, makes it another one.
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

// wordNow is the owner's word that is in force.
func (d *Daemon) wordNow() word {
	d.mu.RLock()
	defer d.mu.RUnlock()
	w := word{ended: d.v.session.Ended != nil}
	if d.v.manifest != nil {
		w.revision = d.v.manifest.Revision
	}
	return w
}

// dropStale removes a cache that could not be replaced and that says another word of the
// owner than the one in force: after a restart without the broker it would serve what was
// taken away. Removing it needs no room.
func (d *Daemon) dropStale() {
	if d.card.holds == nil || *d.card.holds == d.wordNow() {
		return
	}
	err := d.c.Store.RemoveFile(d.id, words.FileCache)
	if d.left.Store(err != nil); err != nil {
		d.c.Logger.Error("a cache of before the owner's last change stays", "error", err)
		return
	}
	d.card.holds = nil
}

// cardDue is when the cache is to be written: at once at the start, so that a start costs
// its part of the lease; without the broker before the time is over that the file covers.
func (d *Daemon) cardDue() time.Time {
	d.mu.RLock()
	defer d.mu.RUnlock()
	v, soon, later := &d.v, d.card.tried.Add(diskRetry), d.card.tried.Add(cacheEvery)
	answers := v.online || v.parked
	switch {
	case d.card.failed || d.diskBad.Load():
		return soon
	case v.session.Ended != nil:
		return time.Now().Add(cacheEvery) // said already
	case answers && d.card.covers >= leaseStale:
		return soon
	case answers || v.over || v.manifest == nil:
		return later
	}
	if over := v.lease.since.Add(d.card.covers - v.lease.saved - leaseMargin); over.Before(later) {
		return over
	}
	return later
}

// keepCard writes the cache where that is due.
func (d *Daemon) keepCard() {
	if !time.Now().Before(d.cardDue()) {
		d.saveCache()
	}
}

// rest is a pause in which the card is kept.
func (l *link) rest(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(d); ctx.Err() == nil && time.Now().Before(end); l.d.keepCard() {
		retry.Pause(ctx, max(min(time.Until(end), time.Until(l.d.cardDue())), time.Second))
	}
}
