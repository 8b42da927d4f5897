package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/retry"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	syncWait = 45 * time.Second       // the longest poll: below the 50 s after which HAProxy cuts unless told otherwise
	tooSoon  = 500 * time.Millisecond // how soon a long poll may end without slowing the next one down
)

// sync asks for news and makes them true here. The first question of a run, and
// after every silence, does not wait: its answer says that the broker is there.
func (l *link) sync(ctx context.Context) error {
	wait := l.wait()
	if l.view.state() == words.StateOnline {
		retry.Pause(ctx, l.poll.Gap(time.Now()))
	}
	start := time.Now()
	reply, etag, err := l.broker.Sync(ctx, l.slot.bearer(), l.etag, wait)
	if took := time.Since(start); l.poll.Ended(time.Now(), wait, took, err) && ctx.Err() == nil {
		l.logger.Debug("a long poll was cut on its way", "seconds", int(took.Seconds()), "error", err)
		return nil
	}
	if err != nil {
		return l.refused(ctx, err)
	}
	l.accepted = true
	first := !l.view.now().lease.heard
	if l.contact(false); first {
		l.cache.save() // or a cut would leave the contact of an earlier run
	}
	if time.Since(start) < min(wait, tooSoon) {
		retry.Pause(ctx, tooSoon) // a broker that does not wait must not keep the board busy
	}
	if reply != nil {
		l.etag = etag
		if err := l.accept(ctx, reply); err != nil {
			return err
		}
	}
	return l.fetch(ctx)
}

// wait is how long the next question may stay open.
func (l *link) wait() time.Duration {
	if l.view.state() != words.StateOnline || l.due() {
		return 0
	}
	most := l.poll.Wait(time.Now(), l.random())
	until := most
	if s, _ := l.slot.snapshot(); s.CanServe() {
		until = min(until, time.Until(l.renewAt))
	}
	if !l.fetchAt.IsZero() {
		until = min(until, time.Until(l.fetchAt))
	}
	if until <= 0 {
		return 0
	}
	// Never so early that nothing is due yet, never longer than proxies allow.
	return min(until.Truncate(time.Second)+time.Second, most)
}

// due reports whether records are missing that were not asked for yet: a link that was
// stopped between the manifest and its records leaves them to the next one.
func (l *link) due() bool {
	return l.fetchAt.IsZero() && len(l.view.now().missing()) > 0
}

// accept makes a believable manifest the daemon's; callers see its scope before
// anything else happens. One that is not to be believed changes nothing.
func (l *link) accept(ctx context.Context, reply *protocol.Sync) error {
	s, _ := l.slot.snapshot()
	known := l.view.now().manifest
	m, err := checkManifest(reply.SignedManifest, s, known)
	if err == nil && m.Revision != reply.Revision {
		err = fmt.Errorf("%w: the broker calls revision %d %d", seal.ErrManifest, m.Revision, reply.Revision)
	}
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	l.conditions.Set(condition.ManifestRefused, err != nil && s.CanServe(), detail)
	if err != nil {
		return nil
	}
	l.view.change(func(f *facts) {
		f.adopt(m)
		f.etag = l.etag
	})
	l.fetched, l.fetchAt = 0, time.Time{}
	if known == nil || known.Revision != m.Revision {
		l.cache.save()
	}
	if s.Scope.Equal(m.Scope) {
		return nil
	}
	err = l.save(ctx, func(s *session.Session) { s.Scope = m.Scope })
	if errors.Is(err, errSlotChanged) {
		return err
	}
	return nil // the card cannot be written: the manifest decides anyway
}

// fetch gets the records that the manifest lists in scope and memory does not hold.
// One that does not come, or is another, is named and asked for again later.
func (l *link) fetch(ctx context.Context) error {
	missing := l.view.now().missing()
	if len(missing) == 0 {
		l.fetched, l.fetchAt = 0, time.Time{}
		l.conditions.Set(condition.RecordWithheld, false, "")
		l.view.change(func(f *facts) { f.fetched = true })
		return nil
	}
	if time.Now().Before(l.fetchAt) {
		return nil
	}
	withheld, err := l.fetchAll(ctx, missing)
	if err != nil {
		return l.refused(ctx, err)
	}
	l.conditions.Set(condition.RecordWithheld, len(withheld) > 0, strings.Join(withheld, ", "))
	l.view.change(func(f *facts) { f.fetched = true })
	l.fetchAt = time.Time{}
	if len(withheld) > 0 {
		l.fetchAt = time.Now().Add(time.Second + backoff().After(l.fetched, l.random(), 0))
		l.fetched++
	}
	if len(withheld) < len(missing) {
		l.cache.save()
	}
	return nil
}

// maxSilent is how many records in a row may get no answer before the rest wait for
// the next round: each may cost a whole time-out.
const maxSilent = 2

// fetchAll asks for each record and names those that did not come: one that the
// broker keeps back does not keep the others from being served. An error is about
// the session itself.
func (l *link) fetchAll(ctx context.Context, missing []seal.Entry) (withheld []string, err error) {
	silent := 0
	for _, e := range missing {
		if silent == maxSilent {
			withheld = append(withheld, e.Service)
			continue
		}
		err := l.fetchOne(ctx, e)
		switch {
		case err == nil:
			silent = 0
			continue
		case ctx.Err() != nil, isAboutSession(err):
			return nil, err
		case isWithheld(err):
			l.view.change(func(f *facts) { f.drop(e.Service) })
		default:
			silent++ // the value of before is served
		}
		withheld = append(withheld, e.Service)
	}
	return withheld, nil
}

// isAboutSession tells the broker's word about the token from one about a record.
func isAboutSession(err error) bool {
	var p *protocol.Problem
	return errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Code == protocol.CodeCloneSuspected)
}

// isWithheld tells a record that does not come, or is another, from no answer.
func isWithheld(err error) bool {
	return errors.Is(err, seal.ErrRecord) || slices.ContainsFunc(
		[]string{protocol.CodeNotFound, protocol.CodeDenied, protocol.CodeDeniedScope, protocol.CodeBadRequest},
		func(code string) bool { return protocol.HasCode(err, code) })
}

func (l *link) fetchOne(ctx context.Context, e seal.Entry) error {
	s, _ := l.slot.snapshot()
	record, err := l.broker.Record(ctx, l.slot.bearer(), s.Wallet, e.Service)
	if err != nil {
		return err
	}
	value, err := seal.OpenRecord(record, e, s.DeviceKey)
	if err != nil {
		return err
	}
	l.view.change(func(f *facts) {
		if f.manifest != nil && slices.Contains(f.manifest.Served(), e) {
			f.put(e.Service, held{entry: e, record: record, value: value})
		}
	})
	return nil
}
