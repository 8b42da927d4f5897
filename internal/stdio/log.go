package stdio

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	queued    = 1024        // lines that wait for a reader
	flushTime = time.Second // that the last ones have at the end
)

// Log is the log of a long-lived program. A reader that hangs (a stopped journald, a pager
// that was left) keeps nobody waiting: lines are queued, and those that find no room are
// counted and left out. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	lines  chan []byte
	lost   int
	closed bool
	done   chan struct{}
}

// NewLog writes to the writer given, from a goroutine of its own until Close.
func NewLog(to io.Writer) *Log {
	l := &Log{lines: make(chan []byte, queued), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for line := range l.lines {
			_, _ = to.Write(line) // there is nowhere to complain
		}
	}()
	return l
}

// Write takes one line and never blocks.
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

// Close gives the last lines a second to be read.
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
