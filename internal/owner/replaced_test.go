package owner_test

import (
	"context"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// What is signed for a device that was replaced gives it nothing: another machine of the
// owner, which knows of no replacement, seals the next value to the owner alone.
func TestNoMachineSealsToADeviceThatARestoredBrokerBroughtBack(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, old := h.pair("bot", scope.All())
	copied := h.srv.Copy()
	fresh := h.board(func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, "bot" })
	o := h.open()
	must(o.Approve(ctx, must(o.Find(ctx, fresh.code))(t), owner.Decision{}))(t)
	sess, _, err := h.slots.Load(ctx, h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.putBack(copied)

	other := newMachine(t, h.srv)
	in := owner.Init{RecoveryKey: must(seal.RecoveryKey(sess.Identity, sess.SigningSeed))(t)}
	must(owner.Start(ctx, other.cfg, in, silent))(t)
	must(other.open().Store(ctx, "bot", "openai", secret.New("later")))(t)
	now := byAlias(t, must(other.open().Agents(ctx))(t), "bot").Manifest
	if _, listed := now.Entry("openai"); !listed || now.Wallet != m.Wallet {
		t.Fatalf("%+v", now)
	}
	if got := other.opens(now, "openai", old.seed); got != "" {
		t.Errorf("the replaced device opens what was stored after it: %q", got)
	}
	if got := other.opens(now, "openai", sess.Identity); got != "later" {
		t.Errorf("the owner opens %q", got)
	}
}
