package e2e_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
)

// stream collects output and lets a test wait for a line of it.
type stream struct {
	mu     sync.Mutex
	text   bytes.Buffer
	closed bool
	change chan struct{}
	also   *transcript
}

func newStream(also *transcript) *stream { return &stream{change: make(chan struct{}), also: also} }

var _ io.Writer = (*stream)(nil)

func (s *stream) Write(p []byte) (int, error) {
	s.also.add(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	close(s.change)
	s.change = make(chan struct{})
	return len(p), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	close(s.change)
	s.change = make(chan struct{})
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// line waits for the first whole line that match accepts; ok is false at the end.
func (s *stream) line(ctx context.Context, match func(string) bool) (line string, ok bool) {
	for {
		s.mu.Lock()
		text, closed, change := s.text.String(), s.closed, s.change
		s.mu.Unlock()
		lines := strings.SplitAfter(text, "\n")
		for _, l := range lines {
			if whole := strings.HasSuffix(l, "\n") || closed; whole && match(strings.TrimSuffix(l, "\n")) && l != "" {
				return strings.TrimSuffix(l, "\n"), true
			}
		}
		if closed {
			return "", false
		}
		select {
		case <-change:
		case <-ctx.Done():
			return "", false
		}
	}
}
