package agent

// turn is a lock for work that waits for time to pass, as the store does for a slot that
// is in use. It is a channel and no sync.Mutex because a testing/synctest bubble lets time
// pass only while each of its goroutines waits for something that the bubble knows: it
// knows channels and no mutexes, so that the holder would wait for ever.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (tu turn) take() { tu <- struct{}{} }

func (tu turn) give() { <-tu }

// tryTake reports whether the turn was free, and is the caller's now.
func (tu turn) tryTake() bool {
	select {
	case tu <- struct{}{}:
		return true
	default:
		return false
	}
}
