package localapi

import "sync"

// strangers is what users count as together whom no rule knows. It is above every user's
// number.
const strangers = uint64(1) << 32

// quota bounds connections, so that no user can use up the file descriptors of the daemon.
// A user may have many numbers (subuid(5)), so those that no rule knows are bounded together
// too: what they hold is never what a caller needs that a rule lets read.
type quota struct {
	mu      sync.Mutex
	opened  map[uint64]int // connections that are served
	refused map[uint64]int // connections that are being refused, because there are too many
}

func newQuota() *quota { return &quota{opened: map[uint64]int{}, refused: map[uint64]int{}} }

// open counts a connection; release ends it. ok is false where there are too many.
func (q *quota) open(uid uint32, stranger bool) (release func(), ok bool) {
	return q.take(q.opened, uid, stranger, maxPerUser, maxStrangers)
}

// refuse is open for a connection that is refused with an answer.
func (q *quota) refuse(uid uint32, stranger bool) (release func(), ok bool) {
	return q.take(q.refused, uid, stranger, maxRefused, maxRefused)
}

func (q *quota) take(of map[uint64]int, uid uint32, stranger bool, perUser, together int) (release func(), ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	keys := []uint64{uint64(uid)}
	if of[keys[0]] >= perUser || stranger && of[strangers] >= together {
		return nil, false
	}
	if stranger {
		keys = append(keys, strangers)
	}
	for _, k := range keys {
		of[k]++
	}
	return func() { q.give(of, keys) }, true
}

func (q *quota) give(of map[uint64]int, keys []uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range keys {
		if of[k]--; of[k] == 0 {
			delete(of, k)
		}
	}
}
