package owner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// renewed is what another process leaves that renews the session of a slot: whole, or
// cut off after the first use of the next token and before the save that says so.
func (h *machine) renewed(id session.ID, signKey func(session.Session) secret.String, whole bool) {
	h.t.Helper()
	ctx := context.Background()
	s, _, err := h.slots.Load(ctx, id)
	if err != nil {
		h.t.Fatal(err)
	}
	s.Next = session.NewToken()
	next := session.TokenHash(s.Next)
	proof := must(session.Prove(signKey(s), session.RenewText(s.Wallet, session.TokenHash(s.Token), next)))(h.t)
	must(h.client().Renew(ctx, s.Token, protocol.Renew{NextSHA256: next, Proof: proof}))(h.t)
	must(h.client().Session(ctx, s.Next))(h.t)
	if whole {
		s.Token, s.Next = s.Next, secret.String{}
	}
	must(h.slots.Save(ctx, id, s))(h.t)
}

// Two commands of one user: one renews while the other has the old token in memory.
func TestARenewalByAnotherProcessIsNotAnAccountOpenedElsewhere(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"whole": true, "cut off": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := initialised(t)
			ctx := context.Background()
			m, b := h.pair("a", scope.All())
			must(h.open().Store(ctx, "a", "openrouter", secret.New("k1")))(t)
			o, d := h.open(), h.device(m, b)
			id := session.DaemonID(m.Wallet)
			h.renewed(h.cfg.ID, func(s session.Session) secret.String { return s.SigningSeed }, whole)
			h.renewed(id, func(s session.Session) secret.String { return s.DeviceSignKey }, whole)
			if v, err := o.Read(ctx, m.Wallet, "openrouter"); err != nil || v.Reveal() != "k1" {
				t.Errorf("the owner: %v", err)
			}
			if v, err := d.Read(ctx, m.Wallet, "openrouter"); err != nil || v.Reveal() != "k1" {
				t.Errorf("the agent's slot: %v", err)
			}
			h.now = func() time.Time { return h.srv.Clock.Now().Add(48 * time.Hour) }
			must(o.Store(ctx, "a", "openrouter", secret.New("k2")))(t) // with the session that was read again
			must(h.open().Agents(ctx))(t)
		})
	}
}

// The broker's word stands where the slot knows nothing newer.
func TestAnAccountThatWasOpenedElsewhereIsSaidToBe(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	before, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.renewed(h.cfg.ID, func(s session.Session) secret.String { return s.SigningSeed }, true)
	must(h.slots.Save(context.Background(), h.cfg.ID, before))(t)
	_, err = must(owner.Open(context.Background(), h.cfg))(t).Agents(context.Background())
	if p := new(protocol.Problem); !errors.As(err, &p) || p.Code != protocol.CodeTokenRetired {
		t.Error(err)
	}
}
