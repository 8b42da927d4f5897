package localapi

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// lookEvery bounds how long lost sockets stay unseen where no event tells, as when a
	// file system is unmounted. It wakes an idle board twice a minute.
	lookEvery = 30 * time.Second
	// lookPause lets what removes a directory come to its end.
	lookPause = 200 * time.Millisecond
)

// Keep answers on p until ctx ends, and on new sockets when the files of the old ones are
// gone: removed with a runtime directory at a log-out, by tmpfiles, or replaced. open makes
// them; while it cannot, it is tried again. looks, a SIGHUP, asks for a look at once.
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
		stop()        // who is being answered still gets the answer
		_ = p.Close() // a file that is left would look like another daemon's
		if p = s.reopen(ctx, open, looks); p == nil {
			return nil
		}
		s.c.Logger.Info("sockets made again", "directory", p.Dir)
	}
}

// watch returns when the sockets are lost, their server has ended, or ctx has.
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
			pause(ctx, lookPause)
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

// eventsOf tells when something was removed from a directory, or it itself. Where the
// system gives no such events, looks in turn find it.
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
			case _, open := <-w.Errors: // an overflow: the look in turn finds it
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

// pause waits; the caller looks at ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
