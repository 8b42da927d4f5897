package broker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
)

// stage is an agent in one column of the table in
// docs/spec/architecture.md#sessions-at-the-broker, with a token of each row.
type stage struct {
	t       *testing.T
	s       *brokertest.Server
	owner   *brokertest.Owner
	d       *brokertest.Device
	current secret.String // C
	next    secret.String // N
	retired secret.String // R
}

// newStage brings an agent with C, N and R into a state.
func newStage(t *testing.T, state string) *stage {
	t.Helper()
	s := brokertest.Start(t)
	g := &stage{t: t, s: s, owner: s.Owner()}
	g.d = s.Agent(g.owner, scope.All(), "openrouter")
	g.retired, g.current, g.next = g.d.Token, session.NewToken(), session.NewToken()
	g.must(g.renew(g.retired, g.current, g.d.Sign))
	g.must(g.use(g.current))
	g.must(g.renew(g.current, g.next, g.d.Sign))
	switch state {
	case broker.StateParked:
		g.want(g.resume(session.NewToken(), g.d.Sign), protocol.CodeCloneSuspected)
	case broker.StateEnded:
		g.must(s.Broker.Revoke(ctx(t), g.owner.Credentials(), g.d.Wallet))
	case broker.StateLapsed:
		s.Advance(30 * 24 * time.Hour)
		g.must(s.OwnerResumes(g.owner))
	}
	return g
}

func (g *stage) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *stage) want(err error, code string) {
	g.t.Helper()
	if got := problem(g.t, err); got.Code != code {
		g.t.Fatalf("%q, want %q", got.Code, code)
	}
}

// problem is the refusal, empty for none.
func problem(t *testing.T, err error) protocol.Problem {
	t.Helper()
	var p *protocol.Problem
	if err == nil {
		return protocol.Problem{}
	}
	if !errors.As(err, &p) {
		t.Fatalf("not a problem: %v", err)
	}
	return *p
}

func (g *stage) use(token secret.String) error {
	_, err := g.s.Broker.Session(ctx(g.t), brokertest.As(token))
	return err
}

func (g *stage) renew(token, next, sign secret.String) error {
	text := session.RenewText(g.d.Wallet, session.TokenHash(token), session.TokenHash(next))
	body := protocol.Renew{NextSHA256: session.TokenHash(next), Proof: brokertest.Must(session.Prove(sign, text))(g.t)}
	_, err := g.s.Broker.Renew(ctx(g.t), brokertest.As(token), body)
	return err
}

// resume proves with a challenge that an unknown token was given.
func (g *stage) resume(next, sign secret.String) error {
	challenge := problem(g.t, g.use(session.NewToken())).Challenge
	_, err := g.s.Broker.Resume(ctx(g.t), brokertest.As(session.NewToken()), g.resumeBody(next, sign, challenge))
	return err
}

func (g *stage) resumeBody(next, sign secret.String, challenge string) protocol.Resume {
	text := session.ResumeText(g.d.Wallet, session.TokenHash(next), challenge)
	return protocol.Resume{
		Wallet: g.d.Wallet, NextSHA256: session.TokenHash(next), Challenge: challenge, Proof: brokertest.Must(session.Prove(sign, text))(g.t),
	}
}

// actions are the rows of the table.
func actions() map[string]func(*stage) error {
	wrong := seal.NewSeed()
	return map[string]func(*stage) error{
		"C reads":            func(g *stage) error { return g.use(g.current) },
		"C renews":           func(g *stage) error { return g.renew(g.current, session.NewToken(), g.d.Sign) },
		"C renews, same N":   func(g *stage) error { return g.renew(g.current, g.next, g.d.Sign) },
		"C renews, known h":  func(g *stage) error { return g.renew(g.current, g.retired, g.d.Sign) },
		"C renews, no proof": func(g *stage) error { return g.renew(g.current, session.NewToken(), wrong) },
		"N":                  func(g *stage) error { return g.use(g.next) },
		"R":                  func(g *stage) error { return g.use(g.retired) },
		"unknown":            func(g *stage) error { return g.use(session.NewToken()) },
		"resume":             func(g *stage) error { return g.resume(session.NewToken(), g.d.Sign) },
		"resume, same C":     func(g *stage) error { return g.resume(g.current, g.d.Sign) },
		"resume, same N":     func(g *stage) error { return g.resume(g.next, g.d.Sign) },
		"resume, no proof":   func(g *stage) error { return g.resume(session.NewToken(), wrong) },
		"owner revokes":      func(g *stage) error { return g.s.Broker.Revoke(ctx(g.t), g.owner.Credentials(), g.d.Wallet) },
	}
}

func TestSessionTable(t *testing.T) {
	t.Parallel()
	const challenged = "+challenge"
	columns := []string{broker.StateActive, broker.StateParked, broker.StateEnded, broker.StateLapsed}
	clone, ended := protocol.CodeCloneSuspected, protocol.CodeSessionRevoked
	lapsed, unknown := protocol.CodeSessionExpired, protocol.CodeTokenUnknown+challenged
	for action, want := range map[string][4]string{
		"C reads":            {"", clone, ended, lapsed + challenged},
		"C renews":           {"", clone, ended, lapsed + challenged},
		"C renews, same N":   {"", clone, ended, lapsed + challenged},
		"C renews, known h":  {protocol.CodeConflict, clone, ended, lapsed + challenged},
		"C renews, no proof": {protocol.CodeDenied, protocol.CodeDenied, ended, lapsed},
		"N":                  {"", clone, ended, lapsed + challenged},
		"R":                  {protocol.CodeTokenRetired + challenged, protocol.CodeTokenRetired + challenged, ended, lapsed + challenged},
		"unknown":            {unknown, unknown, unknown, unknown},
		"resume":             {clone, clone, ended, protocol.CodeApprovalNeeded},
		"resume, same C":     {"", clone, ended, protocol.CodeApprovalNeeded},
		"resume, same N":     {"", clone, ended, protocol.CodeApprovalNeeded},
		"resume, no proof":   {unknown, unknown, unknown, unknown},
		"owner revokes":      {"", "", "", ""},
	} {
		for i, state := range columns {
			t.Run(action+" while "+state, func(t *testing.T) {
				t.Parallel()
				g := newStage(t, state)
				p := problem(t, actions()[action](g))
				got := p.Code
				if p.Challenge != "" {
					got += challenged
				}
				if got != want[i] {
					t.Errorf("%q, want %q", got, want[i])
				}
			})
		}
	}
}

func TestWhatTheTableLeavesBehind(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(t *testing.T){
		"first use of N retires C and gives 30 days": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			g.s.Clock.Jump(time.Hour)
			info, err := g.s.Broker.Session(ctx(t), brokertest.As(g.next))
			g.must(err)
			if now := g.s.Clock.Now().Unix(); info.CreatedAt != now || info.ExpiresAt != now+30*24*3600 {
				t.Errorf("%+v at %d", info, now)
			}
			g.want(g.use(g.current), protocol.CodeTokenRetired)
			g.must(g.use(g.next))
		},
		"an unused N is replaced": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			other := session.NewToken()
			g.must(g.renew(g.current, other, g.d.Sign))
			g.want(g.use(g.next), protocol.CodeTokenUnknown)
			g.must(g.use(other))
		},
		"a wrong proof changes nothing and is audited": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			g.want(g.renew(g.current, session.NewToken(), seal.NewSeed()), protocol.CodeDenied)
			g.must(g.use(g.next))
			rows := g.audit(protocol.ActionProofFailed)
			if len(rows) != 1 || rows[0].Result != "denied" || rows[0].Agent != g.d.Wallet {
				t.Errorf("%+v", rows)
			}
		},
		"a retired token changes nothing": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			g.want(g.use(g.retired), protocol.CodeTokenRetired)
			g.must(g.use(g.current))
		},
		"parked holds everything still": func(t *testing.T) {
			g := newStage(t, broker.StateParked)
			g.want(g.use(g.next), protocol.CodeCloneSuspected)
			g.want(g.use(g.current), protocol.CodeCloneSuspected)
			if rows := g.audit(protocol.ActionParked); len(rows) != 1 {
				t.Errorf("%+v", rows)
			}
		},
		"64 earlier tokens are remembered": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			g.must(g.use(g.next))
			last := g.next
			for range 64 {
				next := session.NewToken()
				g.must(g.renew(last, next, g.d.Sign))
				g.must(g.use(next))
				last = next
			}
			g.want(g.use(g.retired), protocol.CodeTokenUnknown)
			g.want(g.use(g.current), protocol.CodeTokenUnknown)
			g.want(g.use(g.next), protocol.CodeTokenRetired)
			g.must(g.use(last))
		},
		"a challenge serves once, one wallet, for 60 s": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			next := session.NewToken()
			challenge := problem(t, g.use(g.retired)).Challenge
			g.s.Clock.Jump(60 * time.Second)
			_, err := g.s.Broker.Resume(ctx(t), brokertest.As(next), g.resumeBody(next, g.d.Sign, challenge))
			g.want(err, protocol.CodeTokenUnknown)
			other := g.s.Agent(g.owner, scope.All())
			g.must(g.use(other.Token))
			ours := problem(t, g.use(g.retired)).Challenge
			them := &stage{t: t, s: g.s, owner: g.owner, d: other}
			_, err = g.s.Broker.Resume(ctx(t), brokertest.As(next), them.resumeBody(next, other.Sign, ours))
			g.want(err, protocol.CodeTokenUnknown)
			_, err = g.s.Broker.Resume(ctx(t), brokertest.As(next), g.resumeBody(next, g.d.Sign, ours))
			g.want(err, protocol.CodeCloneSuspected)
			_, err = g.s.Broker.Resume(ctx(t), brokertest.As(next), g.resumeBody(next, g.d.Sign, ours))
			g.want(err, protocol.CodeTokenUnknown)
		},
		"revocation ends every token, also those to come": func(t *testing.T) {
			g := newStage(t, broker.StateActive)
			g.must(g.s.Broker.Revoke(ctx(t), g.owner.Credentials(), g.d.Wallet))
			for _, token := range []secret.String{g.current, g.next, g.retired} {
				g.want(g.use(token), protocol.CodeSessionRevoked)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); check(t) })
	}
}

func (g *stage) audit(action string) []protocol.AuditRow {
	g.t.Helper()
	out, err := g.s.Broker.Audit(ctx(g.t), g.owner.Credentials(), protocol.AuditQuery{Action: action})
	g.must(err)
	return out.Rows
}
