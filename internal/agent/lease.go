package agent

import "time"

// startCost is added to the lease at every start: what a machine that is switched
// off and on again may have been without its broker at the least.
const startCost = 10 * time.Minute

const (
	// leastAhead and cacheEvery bound what a save counts in advance. Between them it is the
	// time that this run had no broker for: so the saves of a day without one are few.
	leastAhead = 2 * time.Minute
	// leaseMargin is how long before the end of the time that the card covers it is written
	// again: a question to a broker that does not answer may be open then.
	leaseMargin = 30 * time.Second
	// leaseStale is how much the card may say of a time without the broker when the broker
	// is back, until the next save of an agent that is online.
	leaseStale = time.Hour
)

// lease counts how long the daemon has been without its broker: running time since
// the last contact, so a false clock cannot prolong it. The wall clock may only
// add, and only where it is synchronised, now and when the broker was heard.
type lease struct {
	saved   time.Duration // counted in earlier runs, with this start's cost
	since   time.Time     // start or last contact; its monotonic reading counts
	contact int64         // last contact, Unix seconds; 0: never, or by a clock not to be believed
	heard   bool          // the last contact was in this run
}

// newLease continues what a cache says.
func newLease(now time.Time, contact int64, usedSeconds int64) lease {
	used := time.Duration(min(max(usedSeconds, 0), 1<<31)) * time.Second
	return lease{saved: used + startCost, since: now, contact: contact}
}

// renewed is the lease after the broker was heard.
func (l lease) renewed(now time.Time, synchronised bool) lease {
	next := lease{since: now, heard: true}
	if synchronised {
		next.contact = now.Unix()
	}
	return next
}

// used is the time without the broker at now; synchronised says whether now's wall
// clock may be believed.
func (l lease) used(now time.Time, synchronised bool) time.Duration {
	used := l.saved + max(now.Sub(l.since), 0)
	if synchronised && l.contact > 0 {
		wall := time.Duration(min(max(now.Unix()-l.contact, 0), 1<<31)) * time.Second
		if !l.heard {
			wall -= cacheEvery // so old may the contact in a cache be while the broker is heard
		}
		used = max(used, wall)
	}
	return used
}

// ahead is the time that a save at now counts in advance: a power cut before the next save
// must not make it time that did not count.
func (l lease) ahead(now time.Time) time.Duration {
	return min(max(now.Sub(l.since), leastAhead), cacheEvery)
}

// age is the seconds since the broker was heard in this run; -1: not yet.
func (l lease) age(now time.Time) int64 {
	if !l.heard {
		return -1
	}
	return int64(max(now.Sub(l.since), 0) / time.Second)
}
