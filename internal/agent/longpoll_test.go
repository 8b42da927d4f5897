package agent_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/agent"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// proxy stands between an agent and its broker and ends what waits longer than limit.
type proxy struct {
	agent.Broker
	limit time.Duration
	cut   error // what the agent gets then; nil: no answer at all, ever
	quick bool  // a broker that is dead refuses connections

	mu    sync.Mutex
	dead  bool // the broker behind it; the proxy still takes its limit to say so, unless it is refused
	waits []time.Duration
	cuts  int
}

func gatewayTimeout() error { return fmt.Errorf("%w: HTTP 504", protocol.ErrUnreachable) }

func (p *proxy) Sync(ctx context.Context, token secret.String, etag string, wait time.Duration) (*protocol.Sync, string, error) {
	p.mu.Lock()
	dead := p.dead
	p.waits = append(p.waits, wait)
	p.mu.Unlock()
	long, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	if dead && p.quick {
		return nil, etag, p.cut
	} else if dead {
		<-long.Done()
	} else if reply, tag, err := p.Broker.Sync(long, token, etag, wait); long.Err() == nil {
		return reply, tag, err
	}
	p.mu.Lock()
	p.cuts++
	p.mu.Unlock()
	if p.cut != nil && ctx.Err() == nil {
		return nil, etag, p.cut
	}
	late, cancel := context.WithTimeout(ctx, max(wait+10*time.Second-p.limit, 0)) // the client's own patience
	defer cancel()
	<-late.Done()
	return nil, etag, fmt.Errorf("%w: %w", protocol.ErrUnreachable, context.DeadlineExceeded)
}

// behind puts p between the world's agent and its broker; random draws its jitter.
func (w *world) behind(p *proxy, random func() float64) *daemon {
	w.t.Helper()
	p.Broker = w.broker
	return w.startWith(func(c *agent.Config) {
		c.Dial = func(string) (agent.Broker, error) { return p, nil }
		c.Random = random
	})
}

func half() float64 { return 0.5 }

func TestPollsStayBelowWhatProxiesAllow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, n := &proxy{limit: 50 * time.Second, cut: gatewayTimeout()}, 0
		w.behind(p, func() float64 { n++; return float64(n%10) / 10 })
		time.Sleep(6 * time.Hour)
		p.mu.Lock()
		defer p.mu.Unlock()
		seen := map[time.Duration]bool{}
		for _, wait := range p.waits[1:] {
			seen[wait] = true
			if wait < 40*time.Second || wait > 45*time.Second {
				t.Fatalf("a poll of %s", wait)
			}
		}
		if len(seen) < 4 || p.cuts != 0 {
			t.Errorf("different waits: %v; cut: %d", seen, p.cuts)
		}
	})
}

func TestAProxyThatCutsPollsIsNoAbsence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit time.Duration
		cut   error
	}{
		"504 after 30 s":            {30 * time.Second, gatewayTimeout()},
		"504 after 10 s":            {10 * time.Second, gatewayTimeout()},
		"408 after 20 s":            {20 * time.Second, fmt.Errorf("%w: HTTP 408", protocol.ErrUnreachable)},
		"closes after 30 s":         {30 * time.Second, fmt.Errorf("%w: %w", protocol.ErrUnreachable, io.EOF)},
		"forgets us after 35 s":     {35 * time.Second, nil},
		"its own page after 29.5 s": {29500 * time.Millisecond, fmt.Errorf("%w: HTTP 503", protocol.ErrUnreachable)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.owner.manifest.OfflineTTL = 120
				w.owner.publish(w.broker)
				p := &proxy{limit: c.limit, cut: c.cut}
				d := w.behind(p, half)
				for range 6 * 60 * 12 {
					time.Sleep(5 * time.Second)
					expect(t, "state", d.state(), "online")
					expect(t, "broker away", d.conditions.Has(condition.BrokerAway), false)
					expect(t, "served", d.value("openrouter"), "sk-1")
				}
				p.mu.Lock()
				defer p.mu.Unlock()
				if p.cuts > 2*6+1 { // once or twice an hour, to see whether the proxy still does it
					t.Errorf("%d polls of %d were cut in 6 hours", p.cuts, len(p.waits))
				}
			})
		})
	}
}

// The question that follows a cut poll says that the broker is there, however soon the cut
// came; and polls that may hardly wait must not keep board and broker busy.
func TestAProxyThatCutsSoonIsNoAbsence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit time.Duration
		every time.Duration // the questions, about
		cut   error
	}{
		"504 after 1 s":    {time.Second, 2 * time.Second, gatewayTimeout()},
		"408 after 2 s":    {2 * time.Second, time.Second, fmt.Errorf("%w: HTTP 408", protocol.ErrUnreachable)},
		"closes after 3 s": {3 * time.Second, 2 * time.Second, fmt.Errorf("%w: %w", protocol.ErrUnreachable, io.EOF)},
		"504 after 4 s":    {4 * time.Second, 3 * time.Second, gatewayTimeout()},
		"504 after 8 s":    {8 * time.Second, 5 * time.Second, gatewayTimeout()},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p := &proxy{limit: c.limit, cut: c.cut}
				d := w.behind(p, half)
				for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(700 * time.Millisecond) {
					expect(t, "state", d.state(), "online")
					expect(t, "broker away", d.conditions.Has(condition.BrokerAway), false)
				}
				p.mu.Lock()
				asked, cuts := len(p.waits), p.cuts
				p.mu.Unlock()
				if most := int(time.Hour/c.every) + 2*cuts + 2; asked > most || cuts > 10 {
					t.Errorf("%d questions in an hour, at most %d were expected; %d were cut", asked, most, cuts)
				}
				w.owner.store("openrouter", "sk-2")
				w.owner.publish(w.broker)
				time.Sleep(3 * time.Second)
				expect(t, "news", d.value("openrouter"), "sk-2")
			})
		})
	}
}

// A proxy speaks for itself: its time-outs never say that the broker behind it is there.
func TestAProxyAloneRenewsNoLease(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*proxy{
		"504 after 30 s":    {limit: 30 * time.Second, cut: gatewayTimeout()},
		"504 after 6 s":     {limit: 6 * time.Second, cut: gatewayTimeout()},
		"504 after 2 s":     {limit: 2 * time.Second, cut: gatewayTimeout()},
		"504 after 1 s":     {limit: time.Second, cut: gatewayTimeout()},
		"504 at once":       {limit: 60 * time.Second, cut: gatewayTimeout(), quick: true},
		"no answer at all":  {limit: 30 * time.Second},
		"closes after 40 s": {limit: 40 * time.Second, cut: fmt.Errorf("%w: %w", protocol.ErrUnreachable, io.EOF)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.owner.manifest.OfflineTTL = 3600
				w.owner.publish(w.broker)
				d := w.behind(p, half)
				time.Sleep(10 * time.Minute)
				p.mu.Lock()
				p.dead = true
				p.mu.Unlock()
				time.Sleep(3 * time.Minute)
				expect(t, "broker away", d.conditions.Has(condition.BrokerAway), true)
				expect(t, "within the lease", d.value("openrouter"), "sk-1")
				for range 59 {
					time.Sleep(time.Minute)
					expect(t, "broker away", d.conditions.Has(condition.BrokerAway), true)
				}
				expect(t, "after the lease", d.value("openrouter"), protocol.CodeUnavailable)
				p.mu.Lock()
				p.dead = false
				p.mu.Unlock()
				time.Sleep(10 * time.Minute)
				expect(t, "when it is back", d.value("openrouter"), "sk-1")
			})
		})
	}
}
