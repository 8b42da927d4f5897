package agent_test

import (
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

// A broker whose disk is full is there: its agents are online, and renew once it can.
func TestABrokerThatCannotWriteIsNotAway(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{"renew", "session", "report"} {
		t.Run(refused, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.change(func(s *session.Session) { s.CreatedAt -= int64(23 * time.Hour / time.Second) }) // due in an hour
				before := w.load().Token
				d := w.start()
				w.broker.set(func(b *fakeBroker) {
					b.override = func(call string) error {
						if call == refused {
							return refusal(503, protocol.CodeReadOnly)
						}
						return nil
					}
				})
				for range 26 * 60 { // a day longer than a renewal may fail untold
					time.Sleep(time.Minute)
					expect(t, "state", d.state(), "online")
					expect(t, "broker away", d.conditions.Has(condition.BrokerAway), false)
				}
				w.broker.set(func(b *fakeBroker) { b.override = nil })
				time.Sleep(2 * time.Hour)
				expect(t, "renewed", w.load().Token.Equal(before), false)
				expect(t, "state", d.state(), "online")
				w.broker.get(func(b *fakeBroker) { expect(t, "resumes", b.calls["resume"], 0) })
			})
		})
	}
}
