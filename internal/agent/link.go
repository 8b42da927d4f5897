package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/longpoll"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

const (
	revokedAsk = time.Hour
	connecting = 2 * time.Second // without an answer for so long the broker counts as away
	cacheEvery = 3 * time.Hour
	diskRetry  = time.Minute // a card that could not be written may have been mended: a failed try costs it nothing
)

// backoff is how the daemon comes back to a broker that is away.
func backoff() retry.Backoff { return retry.Backoff{Min: time.Second, Max: 5 * time.Minute} }

// link is the one conversation with the broker: first the tokens are put in order, then
// long polls, renewals in between. Only it changes the session's tokens.
//
// It owns what is known of that conversation: what is due when, and how often it failed. It
// runs in a goroutine of its own, which alone uses its fields, from the moment that the slot
// is loaded until the slot is to be loaded again; the main loop starts and stops it, and
// loads the slot only in between. What the broker says is passed on in one direction: to
// the slot, which stores it, then to the view, from which callers are answered.
type link struct {
	parts

	broker Broker

	info     protocol.SessionInfo // of the next token's first use
	accepted bool                 // the broker took the token in use, and there was no error since
	unsure   bool                 // the slot's next token may be the current one by now
	drop     bool                 // the slot's next token is of no use: make another
	renewAt  time.Time            // when the next renewal is due
	renewed  int                  // failed renewals in a row
	failing  time.Time            // the first of them
	resumeAt time.Time            // no resume before this time
	resumed  int                  // resumes, the last of them less than a day ago
	fetchAt  time.Time            // when to ask again for withheld records; zero: nothing is missing
	fetched  int                  // failed fetches in a row
	etag     string               // of the last answer, refused manifests included
	poll     longpoll.Poll
}

// parts is what the main loop and each link of a daemon work with.
type parts struct {
	slot       *slot
	view       *view
	cache      *cache
	conditions Conditions
	observer   Observer
	logger     *slog.Logger
	synced     func() bool    // whether the wall clock is synchronised
	random     func() float64 // [0,1)
}

func newLink(p parts, b Broker) *link {
	s, _ := p.slot.snapshot()
	now := time.Now()
	return &link{
		parts: p, broker: b, unsure: !s.Next.IsZero(), etag: p.view.now().etag, poll: longpoll.Poll{Longest: syncWait},
		renewAt: now.Add(session.RenewIn(s.CreatedAt, now.Unix(), p.random())),
	}
}

// run works until ctx ends or the slot is to be loaded again.
func (l *link) run(ctx context.Context) error {
	late := time.AfterFunc(connecting, func() { l.view.change(func(f *facts) { f.tried = true }) })
	defer late.Stop()
	for attempt := 0; ctx.Err() == nil; {
		err := l.step(ctx)
		l.accepted = l.accepted && err == nil
		switch {
		case err == nil:
			attempt = 0
			continue
		case errors.Is(err, errSlotChanged), errors.Is(err, store.ErrNoSession):
			return err
		case errors.Is(err, errEnded):
			l.cache.rest(ctx, revokedAsk)
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		}
		l.away(err)
		l.cache.rest(ctx, backoff().After(attempt, l.random(), protocol.RetryAfter(err)))
		attempt++
	}
	return ctx.Err()
}

// step is one turn: whatever is due, then one look for news. A renewal is not due before
// the broker took the token: it begins with a save, and a broker that does not know the
// session changes nothing here.
func (l *link) step(ctx context.Context) error {
	s, _ := l.slot.snapshot()
	if s.Ended != nil {
		return l.askEnded(ctx)
	}
	l.cache.keep()
	if l.unsure {
		if err := l.resolveNext(ctx); err != nil {
			return err
		}
	}
	if l.accepted && !time.Now().Before(l.renewAt) && s.CanServe() {
		if err := l.renewal(ctx); err != nil {
			return err
		}
	}
	return l.sync(ctx)
}

// askEnded is the hourly question of a revoked daemon. Only `recover` ends that
// state, so the slot is what matters; the broker's answer only shows that it is there.
func (l *link) askEnded(ctx context.Context) error {
	if err := l.slot.reread(ctx); err != nil {
		return err
	}
	s, _ := l.slot.snapshot()
	_, err := l.broker.Session(ctx, s.Token)
	l.observer.BrokerUp(!errors.Is(err, protocol.ErrUnreachable))
	return errEnded
}

// away makes the broker's silence visible. A parked session is not away while the broker
// has its word about the session's tokens; without that the lease counts, and the daemon
// is offline like any other.
func (l *link) away(err error) {
	if errors.Is(err, errParked) {
		return
	}
	l.view.change(func(f *facts) {
		f.online, f.parked, f.tried, f.fetched = false, f.parked && isAboutSession(err), true, true
	})
	l.observer.BrokerUp(false)
	held, other := condition.BrokerAway, condition.BrokerCertificateChanged
	if errors.Is(err, protocol.ErrCertificate) {
		held, other = other, held
	}
	at := l.slot.keeper()
	l.conditions.Set(other, false, "")
	l.conditions.SetHint(held, told(at, err), hintFor(at, err))
	l.view.noteLease()
}

// contact is called after every answer that only the broker of this session can give.
func (l *link) contact(parked bool) {
	now, synchronised := time.Now(), l.synced()
	l.view.change(func(f *facts) {
		f.lease, f.tried = f.lease.renewed(now, synchronised), true
		f.online, f.parked = !parked, parked
	})
	l.observer.BrokerUp(true)
	l.observer.Synced(now.Unix())
	l.conditions.Set(condition.BrokerAway, false, "")
	l.conditions.Set(condition.BrokerCertificateChanged, false, "")
	l.conditions.Set(condition.CloneSuspected, parked, "")
	l.view.noteLease()
}

// save saves the session with the revision of the manifest that is in force.
func (l *link) save(ctx context.Context, change func(*session.Session)) error {
	return l.slot.save(ctx, func(s *session.Session) {
		change(s)
		s.ManifestRevision = max(s.ManifestRevision, l.view.now().revision())
	})
}
