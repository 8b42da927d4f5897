package localapi

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/agentkeys/agentkeys/internal/retry"
)

const (
	// lookEvery is how long lost sockets may go unnoticed where the system sends no event, as
	// when a file system is unmounted. It wakes an idle board twice a minute.
	lookEvery = 30 * time.Second
	// lookPause gives the program that removes a directory time to finish.
	lookPause = 200 * time.Millisecond
)

// Keep serves on p until ctx ends. When the socket files are gone or replaced (with a runtime
// directory at a log-out, or by tmpfiles), it serves on new ones, which open makes; while
// open fails, it tries again. A value on looks, which SIGHUP sends, asks for a check at once.
func (s *Server) Keep(ctx context.Context, p *Pair, open func() (*Pair, error), looks <-chan struct{}) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		generation, stop := context.WithCancel(ctx)
		ended, now := make(chan struct{}), p
		serving.Go(func() {
			defer close(ended)
			if err := s.Serve(generation, now.Agent, now.Metrics); err != nil && generation.Err() == nil {
				s.c.Logger.Error("local interface ended", "directory", now.Dir, "error", err)
			}
		})
		s.watch(ctx, p, ended, looks)
		if ctx.Err() == nil {
			s.c.Logger.Warn("sockets lost", "directory", p.Dir)
		}
		stop()        // requests that are being answered are completed
		_ = p.Close() // a remaining file would look like another daemon's
		if p = s.reopen(ctx, open, looks); p == nil {
			return nil
		}
		s.c.Logger.Info("sockets made again", "directory", p.Dir)
	}
}

// watch returns when the sockets are lost, their server has ended, or ctx has ended.
func (s *Server) watch(ctx context.Context, p *Pair, ended, looks <-chan struct{}) {
	events, closeEvents := s.eventsOf(p.Dir)
	defer closeEvents()
	for p.Intact() {
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-ended:
		case <-looks:
		case <-timer.C:
		case <-events:
			retry.Pause(ctx, lookPause)
		}
		timer.Stop()
		select {
		case <-ended:
			return
		default:
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// eventsOf reports that something was removed from a directory, or the directory itself.
// Where the system has no such events, the regular check finds it.
func (s *Server) eventsOf(dir string) (events <-chan struct{}, closeEvents func()) {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		err = w.Add(dir)
	}
	if err != nil {
		s.c.Logger.Debug("directory not watched", "directory", dir, "error", err)
		return nil, func() {
			if w != nil {
				_ = w.Close()
			}
		}
	}
	out := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case e, open := <-w.Events:
				if !open {
					return
				}
				if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) || e.Has(fsnotify.Create) {
					select {
					case out <- struct{}{}:
					default:
					}
				}
			case _, open := <-w.Errors: // events were lost: the regular check finds it
				if !open {
					return
				}
			}
		}
	}()
	return out, func() { _ = w.Close() }
}

// reopen tries until there are sockets again; nil: ctx ended.
func (s *Server) reopen(ctx context.Context, open func() (*Pair, error), looks <-chan struct{}) *Pair {
	said := ""
	for wait := lookPause; ctx.Err() == nil; wait = min(2*wait, lookEvery) {
		p, err := open()
		if err == nil {
			return p
		}
		if said != err.Error() {
			said = err.Error()
			s.c.Logger.Error("sockets not made again, trying on", "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-looks:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}
