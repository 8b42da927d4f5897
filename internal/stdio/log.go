package stdio

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	queued    = 1024        // lines that may wait to be written
	flushTime = time.Second // how long Close waits for the last lines
)

// Log is the log of a long-lived program. It does not block the program when the reader of
// the log hangs (a stopped journald, a suspended pager): lines are queued, and lines that
// find the queue full are counted and dropped. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	lines  chan []byte
	lost   int
	closed bool
	done   chan struct{}
}

// NewLog returns a Log that writes to the given writer, from a goroutine that Close ends.
func NewLog(to io.Writer) *Log {
	l := &Log{lines: make(chan []byte, queued), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for line := range l.lines {
			_, _ = to.Write(line) // an error of the log cannot be logged
		}
	}()
	return l
}

// Write queues one line. It never blocks and never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 && len(l.lines) < queued-1 && !l.closed {
		l.lines <- fmt.Appendf(nil, "%d lines of the log were lost: its reader did not keep up\n", l.lost)
		l.lost = 0
	}
	if l.closed || len(l.lines) == queued {
		l.lost++
		return len(p), nil
	}
	l.lines <- append([]byte(nil), p...)
	return len(p), nil
}

// Close ends the log and waits up to a second for the queued lines to be written.
func (l *Log) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.lines)
	}
	l.mu.Unlock()
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}
