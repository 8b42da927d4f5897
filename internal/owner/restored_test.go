package owner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// putBack puts an earlier database in place and gives what the next command does about it.
func (h *machine) putBack(copied []byte) (after []owner.Agent, told []owner.Reopened) {
	h.t.Helper()
	h.srv.PutBack(copied)
	h.cfg.Reopened = func(r owner.Reopened) { told = append(told, r) }
	after = must(h.open().Agents(context.Background()))(h.t)
	h.cfg.Reopened = nil
	if len(told) != 1 {
		h.t.Fatalf("told %d times", len(told))
	}
	return after, told
}

func (h *machine) use(b board) string {
	h.t.Helper()
	_, err := h.client().Session(context.Background(), b.token)
	return codeOf(err)
}

func codeOf(err error) string {
	var p *protocol.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (h *machine) store(alias, service, value string) {
	h.t.Helper()
	must(h.open().Store(context.Background(), alias, service, secret.New(value)))(h.t)
}

func byAlias(t *testing.T, agents []owner.Agent, alias string) owner.Agent {
	t.Helper()
	i := slices.IndexFunc(agents, func(a owner.Agent) bool { return a.Manifest.Alias == alias })
	if i < 0 {
		t.Fatalf("no %s in %+v", alias, agents)
	}
	return agents[i]
}

// What the owner said since the copy holds, though the broker has forgotten it.
func TestTheNextCommandPutsARestoredBrokerInOrder(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	stays, staysBoard := h.pair("stays", scope.All())
	narrowed, narrowedBoard := h.pair("narrowed", scope.All())
	revoked, revokedBoard := h.pair("revoked", scope.All())
	gone, goneBoard := h.pair("gone", scope.All())
	for _, alias := range []string{"stays", "narrowed", "revoked"} {
		h.store(alias, "openrouter", "of "+alias)
		h.store(alias, "anthropic", "of "+alias)
	}
	for _, b := range []board{staysBoard, narrowedBoard, revokedBoard, goneBoard} {
		if got := h.use(b); got != "" {
			t.Fatal(got)
		}
	}
	copied := h.srv.Copy()

	must(h.open().Revoke(ctx, "revoked"))(t)
	must(h.open().Teardown(ctx, "gone"))(t)
	must(h.open().SetScope(ctx, "narrowed", owner.ReplaceScope(list(t, "anthropic"))))(t)
	must(h.open().Remove(ctx, "narrowed", "openrouter"))(t)
	h.store("stays", "openrouter", "newer")
	before := must(h.open().Agents(ctx))(t)
	added, addedBoard := h.pair("added", scope.All())

	agents, told := h.putBack(copied)
	want := owner.Reopened{
		Revoked: []wallet.Wallet{revoked.Wallet}, Gone: []wallet.Wallet{gone.Wallet}, Missing: []wallet.Wallet{added.Wallet},
		Signed: []wallet.Wallet{stays.Wallet, narrowed.Wallet}, LostOf: []wallet.Wallet{stays.Wallet},
		Lost: []protocol.CredentialInfo{{Service: "openrouter", Revision: 2}},
	}
	if diff := cmp.Diff(want, told[0], cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	for name, tt := range map[string]struct {
		b    board
		want string
	}{
		"stays": {staysBoard, ""}, "narrowed": {narrowedBoard, ""}, "revoked": {revokedBoard, protocol.CodeSessionRevoked},
		"gone": {goneBoard, protocol.CodeSessionRevoked}, "added": {addedBoard, protocol.CodeTokenUnknown},
	} {
		if got := h.use(tt.b); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	now, was := byAlias(t, agents, "narrowed").Manifest, byAlias(t, before, "narrowed").Manifest
	if now.Revision <= was.Revision || !now.Scope.Equal(was.Scope) {
		t.Errorf("narrowed: revision %d after %d, scope %s", now.Revision, was.Revision, now.Scope)
	}
	if _, ok := now.Entry("openrouter"); ok {
		t.Error("a credential that was removed is back")
	}
	if got := h.opens(now, "anthropic", narrowedBoard.seed); got != "of narrowed" {
		t.Errorf("anthropic: %q", got)
	}
	h.store("stays", "openrouter", "newest")
	if got := h.opens(byAlias(t, must(h.open().Agents(ctx))(t), "stays").Manifest, "openrouter", staysBoard.seed); got != "newest" {
		t.Errorf("stored again: %q", got)
	}
}

// A scope that was narrowed since is sealed anew: the copy's ciphertext is for the device.
func TestARestoredBrokerGetsNoRecordForADeviceThatLostTheScope(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	_, b := h.pair("bot", scope.All())
	h.store("bot", "openrouter", "value")
	copied := h.srv.Copy()
	must(h.open().SetScope(context.Background(), "bot", owner.ReplaceScope(scope.None())))(t)
	agents, told := h.putBack(copied)
	m := byAlias(t, agents, "bot").Manifest
	if !m.Scope.Equal(scope.None()) {
		t.Errorf("scope %s", m.Scope)
	}
	// The record that SetScope sealed is lost; the one of the copy is not on the list.
	if len(m.Records) != 0 || len(told[0].Lost) != 1 {
		t.Errorf("%+v %+v", m.Records, told[0])
	}
	if got := h.use(b); got != "" {
		t.Error(got)
	}
}

// A device that was replaced since is cut off; the new one is not in the copy.
func TestARestoredBrokerLetsNoReplacedDeviceBack(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, old := h.pair("bot", scope.All())
	h.store("bot", "openrouter", "value")
	if got := h.use(old); got != "" {
		t.Fatal(got)
	}
	copied := h.srv.Copy()
	fresh := h.board(func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, "bot" })
	o := h.open()
	must(o.Approve(ctx, must(o.Find(ctx, fresh.code))(t), owner.Decision{}))(t)

	agents, told := h.putBack(copied)
	if !slices.Equal(told[0].Revoked, []wallet.Wallet{m.Wallet}) {
		t.Errorf("%+v", told[0])
	}
	if got := h.use(old); got != protocol.CodeSessionRevoked {
		t.Errorf("the old device: %q", got)
	}
	now := byAlias(t, agents, "bot").Manifest
	for _, e := range now.Records {
		if got := h.opens(now, e.Service, old.seed); got != "" {
			t.Errorf("the old device opens %s", e.Service)
		}
	}
	again := h.board(func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, "bot" })
	o = h.open()
	must(o.Approve(ctx, must(o.Find(ctx, again.code))(t), owner.Decision{}))(t)
	if got := h.use(again); got != "" {
		t.Errorf("recovered again: %q", got)
	}
}

// The owner's own token is older than the copy knows too: its key brings it back.
func TestAnOwnerWhoseTokenTheRestoredBrokerDoesNotKnow(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	copied := h.srv.Copy()
	h.srv.Advance(25 * time.Hour)
	h.open() // renews
	sess, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.putBack(copied)
	now, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil || now.Token.Equal(sess.Token) {
		t.Errorf("the token is the one that the broker did not know: %v", err)
	}
	must(h.open().Agents(context.Background()))(t)

	// In the same epoch an unknown token is no reason to take over.
	now.Token = session.NewToken()
	must(h.slots.Save(context.Background(), h.cfg.ID, now))(t)
	if _, err := h.open().Agents(context.Background()); !strings.Contains(fmt.Sprint(err), protocol.CodeTokenUnknown) {
		t.Errorf("resumed unasked: %v", err)
	}
}

// A machine that knows nothing better takes the copy as it is.
func TestARestoredBrokerAndANewMachine(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	_, b := h.pair("bot", scope.All())
	sess, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.srv.PutBack(h.srv.Copy())
	fresh := newMachine(t, h.srv)
	in := owner.Init{RecoveryKey: must(seal.RecoveryKey(sess.Identity, sess.SigningSeed))(t)}
	must(owner.Start(context.Background(), fresh.cfg, in, silent))(t)
	if agents := must(fresh.open().Agents(context.Background()))(t); len(agents) != 1 {
		t.Errorf("%+v", agents)
	}
	if got := h.use(b); got != "" {
		t.Error(got)
	}
}

// Another machine of the owner, which does not know of the revocation, is first: the one
// that knows puts it right at its next command.
func TestAnotherMachineOpensARestoredBrokerFirst(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, b := h.pair("bot", scope.All())
	if got := h.use(b); got != "" {
		t.Fatal(got)
	}
	sess, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		t.Fatal(err)
	}
	copied := h.srv.Copy()
	must(h.open().Revoke(context.Background(), "bot"))(t)
	h.srv.PutBack(copied)
	second := newMachine(t, h.srv)
	in := owner.Init{RecoveryKey: must(seal.RecoveryKey(sess.Identity, sess.SigningSeed))(t)}
	must(owner.Start(context.Background(), second.cfg, in, silent))(t)
	must(second.open().Agents(context.Background()))(t)
	if got := h.use(b); got != "" {
		t.Fatalf("the second machine knew: %q", got)
	}
	must(owner.Start(context.Background(), h.cfg, owner.Init{}, silent))(t) // the account was opened elsewhere
	var told []owner.Reopened
	h.cfg.Reopened = func(r owner.Reopened) { told = append(told, r) }
	must(h.open().Agents(context.Background()))(t)
	if len(told) != 1 || !slices.Equal(told[0].Revoked, []wallet.Wallet{m.Wallet}) {
		t.Errorf("%+v", told)
	}
	if got := h.use(b); got != protocol.CodeSessionRevoked {
		t.Errorf("%q", got)
	}
}
