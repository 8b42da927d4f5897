package main

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// ended is the end of its session that the slot of w remembers, for the broker that a daemon would
// use; nil if it remembers none or cannot be read without the keychain.
func (p *program) ended(ctx context.Context, s *store.Store, w wallet.Wallet) *session.Ended {
	set, _, err := p.loadSettings(w.String())
	if err != nil {
		return nil
	}
	v, _, err := s.Peek(ctx, session.DaemonID(w))
	if err != nil {
		return nil
	}
	at, _ := v.At(set.Broker)
	return at.Ended
}

// revoke makes st the status of a session that ended, with which nothing can be done any more.
func revoke(st *protocol.Status, ended *session.Ended, home string) {
	if st.Session != nil {
		st.Session.ExpiresAt = min(st.Session.ExpiresAt, ended.At)
	}
	d, _ := condition.Of(string(condition.SessionRevoked), "", st.Wallet.String())
	if paths.UnitsHome(home) {
		d.Hint = condition.AsRoot(d.Hint)
	}
	st.Conditions = append(st.Conditions, protocol.StatusCondition{
		Code: string(d.Code), Severity: string(d.Severity), Message: d.Message, Hint: d.Hint,
	})
}

// insecureFiles lists why a slot whose session can be read must not be written.
func insecureFiles(s *store.Store, id session.ID) []protocol.StatusCondition {
	found, err := s.Inspect(id, store.Probe{})
	if err != nil {
		return nil
	}
	var out []protocol.StatusCondition
	for _, i := range found.Insecure {
		out = append(out, protocol.StatusCondition{
			Code: string(condition.SlotInsecure), Severity: string(condition.Error), Message: i.Error(), Hint: i.Fix,
		})
	}
	return out
}
