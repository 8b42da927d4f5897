package agent_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

// A renewal that is due begins with a save: not before the broker took the token.
func TestAStrangerCostsASessionThatIsDueNoWrite(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.change(func(s *session.Session) { s.CreatedAt -= int64(25 * time.Hour / time.Second) })
		generation := w.generation()
		w.others, w.named = map[string]*fakeBroker{elsewhere: stranger()}, elsewhere
		d := w.start()
		time.Sleep(10 * time.Hour)
		expect(t, "state", d.state(), "offline")
		expect(t, "saves of the slot", w.generation()-generation, 0)
		w.named = ""
		d.reload()
		expect(t, "back at its own", d.state(), "online")
		w.broker.get(func(b *fakeBroker) { expect(t, "renewals there", b.calls["renew"], 1) })
	})
}

// A copy from before the last renewal knows the device and not its token. The token that
// the slot holds is registered there, and is of no use to who copied it soon after.
func TestACopyThatIsOlderThanTheTokenTakesItAndRenewsIt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		before, copied := w.load().Token, w.copied()
		copied.current = "older"
		w.others, w.named = map[string]*fakeBroker{elsewhere: copied}, elsewhere
		d := w.start()
		time.Sleep(time.Minute)
		expect(t, "state", d.state(), "online")
		copied.get(func(b *fakeBroker) {
			expect(t, "retired there", b.retired[session.TokenHash(before)], true)
			expect(t, "current there", b.current, session.TokenHash(w.load().Token))
			expect(t, "resumes", b.calls["resume"], 1)
		})
	})
}

// What an interrupted renewal left may be the only token that is good, whatever a broker on
// the way says of it.
func TestALieAboutTheNextTokenLosesItNot(t *testing.T) {
	t.Parallel()
	for _, code := range []string{protocol.CodeTokenRetired, protocol.CodeSessionExpired, protocol.CodeTokenUnknown} {
		t.Run(code, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.change(func(s *session.Session) { s.CreatedAt -= int64(25 * time.Hour / time.Second) })
				used := false
				w.broker.fault = func(call string) error { // the next token is used, and no answer comes back
					used = used || call == "session answer"
					if used {
						return protocol.ErrUnreachable
					}
					return nil
				}
				d := w.start()
				time.Sleep(time.Minute)
				expect(t, "stopped", d.stop(), nil)
				w.broker.get(func(*fakeBroker) { expect(t, "the next token was used", used, true) })
				w.broker.set(func(b *fakeBroker) {
					b.fault, b.override = nil, func(string) error { return refusal(401, code) }
				})
				d = w.start()
				time.Sleep(5 * time.Minute)
				expect(t, "stopped", d.stop(), nil)
				w.broker.set(func(b *fakeBroker) { b.override = nil })
				d = w.start()
				time.Sleep(time.Minute)
				expect(t, "state", d.state(), "online")
				w.broker.get(func(b *fakeBroker) { expect(t, "current", b.current, session.TokenHash(w.load().Token)) })
			})
		})
	}
}
