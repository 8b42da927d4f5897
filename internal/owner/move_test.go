package owner_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// slot is the owner's slot as it is on disk.
func (h *machine) slot() []byte {
	h.t.Helper()
	return must(os.ReadFile(filepath.Join(h.slots.Dir(h.cfg.ID), "session.json")))(h.t)
}

func (h *machine) session() session.Session {
	h.t.Helper()
	s, _, err := h.slots.Load(context.Background(), h.cfg.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// elsewhere is another broker, with a copy of the first one's database if there is one.
func (h *machine) elsewhere(copied []byte) *brokertest.Server {
	h.t.Helper()
	srv := brokertest.Start(h.t)
	srv.Clock = h.srv.Clock
	if copied != nil {
		srv.PutBack(copied)
	}
	return srv
}

func TestInitMovesTheAccountToACopyOfItsBroker(t *testing.T) {
	t.Parallel()
	renew := func(h *machine) {
		h.srv.Advance(25 * time.Hour)
		must(h.open().Agents(context.Background()))(h.t)
	}
	for name, c := range map[string]struct {
		before, after func(h *machine) // the copy is made
	}{
		"as it was": {},
		"before the session was renewed": {after: func(h *machine) {
			token := h.session().Token
			if renew(h); h.session().Token.Equal(token) {
				h.t.Fatal("not renewed")
			}
		}},
		"with a renewal that was cut off": {after: func(h *machine) {
			s := h.session()
			s.Next = session.NewToken()
			must(h.slots.Save(context.Background(), h.cfg.ID, s))(h.t)
		}},
		"after the account was opened elsewhere": {before: func(h *machine) {
			other := newMachine(h.t, h.srv)
			in := owner.Init{RecoveryKey: must(h.recoveryKey())(h.t)}
			must(owner.Start(context.Background(), other.cfg, in, silent))(h.t)
		}},
		"and the session here was ended since": {after: func(h *machine) {
			if err := h.open().End(context.Background(), false); err != nil {
				h.t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := initialised(t)
			h.pair("bot", scope.All())
			h.store("bot", "openrouter", "v1")
			if c.before != nil {
				c.before(h)
			}
			copied, from := h.srv.Copy(), h.srv.URL
			if c.after != nil {
				c.after(h)
			}
			h.srv.Stop()
			defer h.srv.Restart()
			was, to := h.session(), h.elsewhere(copied)
			h.cfg.BrokerURL = to.URL
			told := 0
			h.cfg.Reopened = func(owner.Reopened) { told++ }
			got := must(owner.Start(context.Background(), h.cfg, owner.Init{}, silent))(t)
			if got.MovedFrom != from || got.Broker != to.URL || got.Remembered != to.URL || got.New || told != 1 {
				t.Fatalf("%+v, told %d times", got, told)
			}
			now := h.session()
			if now.Broker != to.URL || now.Wallet != was.Wallet || !now.Identity.Equal(was.Identity) || !now.SigningSeed.Equal(was.SigningSeed) {
				t.Fatalf("another account: %+v", now)
			}
			h.cfg.BrokerURL = ""
			if agents := must(h.open().Agents(context.Background()))(t); len(agents) != 1 || told != 1 {
				t.Errorf("%+v, told %d times", agents, told)
			}
			v := must(h.open().Read(context.Background(), must(h.open().Resolve(context.Background(), "bot"))(t), "openrouter"))(t)
			if v.Reveal() != "v1" {
				t.Error("another value")
			}
			h.cfg.BrokerURL = to.URL
			if again := must(owner.Start(context.Background(), h.cfg, owner.Init{}, silent))(t); again.MovedFrom != "" {
				t.Errorf("moved again: %+v", again)
			}
		})
	}
}

func TestABrokerThatDoesNotKnowTheAccountChangesNothing(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.srv.Advance(25 * time.Hour) // a renewal is due
	stranger, away := h.elsewhere(nil), brokertest.Start(t)
	away.Stop()
	defer away.Restart()
	before, ctx := h.slot(), context.Background()
	for name, c := range map[string]struct {
		url  string
		lie  func() (protocol.SessionInfo, error)
		want error
	}{
		"it never heard of it":        {stranger.URL, nil, owner.ErrUnknownAccount},
		"it is away":                  {away.URL, nil, protocol.ErrUnreachable},
		"it answers for another":      {stranger.URL, func() (protocol.SessionInfo, error) { return protocol.SessionInfo{Role: "owner"}, nil }, protocol.ErrUnreachable},
		"it says that it was revoked": {stranger.URL, func() (protocol.SessionInfo, error) { return protocol.SessionInfo{}, revokedByALiar() }, revokedByALiar()},
	} {
		if h.lie = nil; c.lie != nil {
			h.withLiar().session = c.lie
		}
		cfg := h.cfg
		cfg.BrokerURL = c.url
		for command, do := range map[string]func() error{
			"init": func() error {
				_, err := owner.Start(ctx, cfg, owner.Init{SetupToken: stranger.SetupToken()}, silent)
				return err
			},
			"agents": func() error { _, err := must(owner.Open(ctx, cfg))(t).Agents(ctx); return err },
			"revoke": func() error { return must(owner.Open(ctx, cfg))(t).End(ctx, false) },
		} {
			err := do()
			if err == nil {
				t.Errorf("%s: %s ends well", name, command)
			}
			if command == "init" && !errors.Is(err, c.want) && codeOf(err) != codeOf(c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if !bytes.Equal(before, h.slot()) {
				t.Fatalf("%s: %s changed the slot", name, command)
			}
		}
	}
	h.lie = nil
	must(h.open().Agents(ctx))(t)
}

func revokedByALiar() error {
	return &protocol.Problem{Status: 401, Code: protocol.CodeSessionRevoked}
}

func (h *machine) recoveryKey() (secret.String, error) {
	s := h.session()
	return seal.RecoveryKey(s.Identity, s.SigningSeed)
}
