package agent

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent/longpoll"
	"github.com/agentkeys/agentkeys/internal/condition"
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

// link is the one conversation with the broker: first the tokens are put in order,
// then long polls, renewals in between. Only it changes the session's tokens.
type link struct {
	d      *Daemon
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

func newLink(d *Daemon, b Broker) *link {
	s, _, _ := d.snapshot()
	d.mu.RLock()
	etag := d.v.etag
	d.mu.RUnlock()
	now := time.Now()
	return &link{
		d: d, broker: b, unsure: !s.Next.IsZero(), etag: etag, poll: longpoll.Poll{Longest: syncWait},
		renewAt: now.Add(session.RenewIn(s.CreatedAt, now.Unix(), d.c.Random())),
	}
}

// run works until ctx ends or the slot is to be loaded again.
func (l *link) run(ctx context.Context) error {
	late := time.AfterFunc(connecting, func() { l.d.setView(func(v *view) { v.tried = true }) })
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
			l.rest(ctx, revokedAsk)
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		}
		l.away(err)
		l.rest(ctx, backoff().After(attempt, l.d.c.Random(), retryAfter(err)))
		attempt++
	}
	return ctx.Err()
}

// step is one turn: whatever is due, then one look for news. A renewal is not due before
// the broker took the token: it begins with a save, and a broker that does not know the
// session changes nothing here.
func (l *link) step(ctx context.Context) error {
	s, _, _ := l.d.snapshot()
	if s.Ended != nil {
		return l.askEnded(ctx)
	}
	l.d.keepCard()
	if l.unsure {
		if err := l.settle(ctx); err != nil {
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
	if err := l.d.reread(ctx); err != nil {
		return err
	}
	s, _, _ := l.d.snapshot()
	_, err := l.broker.Session(ctx, s.Token)
	l.d.c.Observer.BrokerUp(!errors.Is(err, protocol.ErrUnreachable))
	return errEnded
}

// away makes the broker's silence visible. A parked session is not away while the broker
// has its word about the session's tokens; without that the lease counts, and the daemon
// is offline like any other.
func (l *link) away(err error) {
	d := l.d
	if errors.Is(err, errParked) {
		return
	}
	d.setView(func(v *view) {
		v.online, v.parked, v.tried, v.fetched = false, v.parked && isAboutSession(err), true, true
	})
	d.c.Observer.BrokerUp(false)
	held, other := condition.BrokerAway, condition.BrokerCertificateChanged
	if errors.Is(err, protocol.ErrCertificate) {
		held, other = other, held
	}
	d.c.Conditions.Set(other, false, "")
	d.c.Conditions.SetHint(held, d.told(err), d.wrongBroker(err))
	d.noteLease()
}

// contact is called after every answer that only the broker of this session can give.
func (d *Daemon) contact(parked bool) {
	now, synchronised := time.Now(), d.c.ClockSynced()
	d.setView(func(v *view) {
		v.lease, v.tried = v.lease.renewed(now, synchronised), true
		v.online, v.parked = !parked, parked
	})
	d.c.Observer.BrokerUp(true)
	d.c.Observer.Synced(now.Unix())
	d.c.Conditions.Set(condition.BrokerAway, false, "")
	d.c.Conditions.Set(condition.BrokerCertificateChanged, false, "")
	d.c.Conditions.Set(condition.CloneSuspected, parked, "")
	d.noteLease()
}

// heard reports whether the broker answered in this run.
func (d *Daemon) heard() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.v.lease.heard
}

// noteLease names a lease that is over.
func (d *Daemon) noteLease() {
	d.mu.RLock()
	over := d.v.expired(time.Now(), d.c.ClockSynced)
	d.mu.RUnlock()
	d.setView(func(v *view) { v.over = over })
	d.c.Conditions.Set(condition.OfflineTooLong, over, "")
}

func retryAfter(err error) time.Duration {
	var p *protocol.Problem
	if errors.As(err, &p) {
		return time.Duration(p.RetryAfter) * time.Second
	}
	return 0
}
