package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
)

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}

// code is what a client decides by; "" for no error.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var p *protocol.Problem
	var u *broker.Unwritable
	switch {
	case errors.As(err, &u):
		p = u.Problem()
	case !errors.As(err, &p):
		t.Fatalf("not a problem: %v", err)
	}
	return p.Code
}

func services(t *testing.T, names ...string) scope.Scope {
	t.Helper()
	return brokertest.Must(scope.Of(names...))(t)
}

func TestTwoAgentsOfOneOwner(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	a := s.Agent(owner, services(t, "openrouter", "anthropic"), "openrouter", "anthropic")
	b := s.Agent(owner, services(t, "brave-search"), "brave-search", "openrouter")

	if _, err := s.Broker.Record(ctx(t), a.Credentials(), a.Wallet, "openrouter"); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		service string
		of      *brokertest.Device
		want    string
	}{
		"own service out of scope":      {"brave-search", a, protocol.CodeDeniedScope},
		"another wallet":                {"brave-search", b, protocol.CodeDenied},
		"own service that is not there": {"anthropic", a, ""},
	} {
		_, err := s.Broker.Record(ctx(t), a.Credentials(), tc.of.Wallet, tc.service)
		if got := code(t, err); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	_, err := s.Broker.Record(ctx(t), b.Credentials(), b.Wallet, "openrouter")
	if got := code(t, err); got != protocol.CodeDeniedScope {
		t.Errorf("a stored record out of scope: %q", got)
	}
	audit, err := s.Broker.Audit(ctx(t), owner.Credentials(), protocol.AuditQuery{Action: protocol.ActionAccessDenied, Agent: a.Wallet})
	if err != nil {
		t.Fatal(err)
	}
	if len(audit.Rows) != 2 || audit.Rows[0].Result != "denied" || audit.Rows[0].Where != "broker" {
		t.Errorf("denials of A: %+v", audit.Rows)
	}
}

func TestSyncAnswersAtOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	owner := s.Owner()
	d := s.Agent(owner, scope.All(), "openrouter")
	first, etag, known, err := s.Broker.Sync(ctx(t), d.Credentials(), "", 0)
	if err != nil || !known || first.Revision != 1 {
		t.Fatalf("first sync: %+v %v %v", first, known, err)
	}
	if _, _, known, err := s.Broker.Sync(ctx(t), d.Credentials(), etag, 0); err != nil || known {
		t.Fatalf("nothing changed, but %v %v", known, err)
	}
	type answer struct {
		revision uint64
		err      error
	}
	answers := make(chan answer, 1)
	poll := func(etag string) {
		out, _, _, err := s.Broker.Sync(ctx(t), d.Credentials(), etag, 50*time.Second)
		answers <- answer{out.Revision, err}
	}
	go poll(etag)
	m := d.Manifest
	m.Revision, m.Scope = 2, scope.None()
	reply, err := s.Broker.PutManifest(ctx(t), owner.Credentials(), d.Wallet, 1, owner.Put(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]uint64{"openrouter": 1}, reply.Revisions); diff != "" {
		t.Error(diff)
	}
	if got := <-answers; got.err != nil || got.revision != 2 {
		t.Fatalf("after a change: %+v", got)
	}
	_, etag, _, err = s.Broker.Sync(ctx(t), d.Credentials(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	go poll(etag)
	if err := s.Broker.Revoke(ctx(t), owner.Credentials(), d.Wallet); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; code(t, got.err) != protocol.CodeSessionRevoked {
		t.Fatalf("after revocation: %+v", got)
	}
}
