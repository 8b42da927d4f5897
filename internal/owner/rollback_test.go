package owner_test

import (
	"context"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// A broker that only says that it was put back gets nothing but the owner's last word.
func TestABrokerThatLiesAboutARestore(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, _ := h.pair("bot", scope.All())
	old := must(h.client().Manifest(context.Background(), must(h.token())(t), m.Wallet))(t)
	must(h.open().SetScope(context.Background(), "bot", owner.ReplaceScope(list(t, "anthropic"))))(t)
	liar := &rollback{old: old, lies: 1}
	h.lie = func(b owner.Broker) owner.Broker { liar.Broker = b; return liar }
	_, err := h.open().Agents(context.Background())
	h.lie = nil
	if liar.lies != 0 {
		t.Fatal("the lie was not told")
	}
	if now := byAlias(t, must(h.open().Agents(context.Background()))(t), "bot").Manifest; !now.Scope.Equal(list(t, "anthropic")) {
		t.Errorf("scope %s (%v)", now.Scope, err)
	}
}

// rollback says once that the broker was restored, and from then on gives an old manifest.
type rollback struct {
	owner.Broker
	old  protocol.ManifestReply
	lies int
}

func (r *rollback) Agents(ctx context.Context, token secret.String, cursor uint64) (protocol.AgentList, error) {
	if r.lies > 0 {
		r.lies--
		return protocol.AgentList{}, &protocol.Problem{Status: 503, Code: protocol.CodeRestored}
	}
	return r.Broker.Agents(ctx, token, cursor)
}

func (r *rollback) Manifest(ctx context.Context, token secret.String, w wallet.Wallet) (protocol.ManifestReply, error) {
	reply, err := r.Broker.Manifest(ctx, token, w)
	if err == nil {
		reply = r.old
	}
	return reply, err
}
