package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func sorted(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// listed is what an agent's `list` shows.
func (s *scene) listed(ctx context.Context, a agent) (string, error) {
	var lines []struct{ Service string }
	if err := s.decode(ctx, &lines, "agentkeys", "list", "--wallet", a.wallet, "--json"); err != nil {
		return "", err
	}
	var names []string
	for _, l := range lines {
		names = append(names, l.Service)
	}
	return sorted(names), nil
}

func (s *scene) readsItsOwn(ctx context.Context) error {
	s.begin("A lists and reads its own: agentkeys list, agentkeys read openrouter --wallet A")
	names, err := s.listed(ctx, s.a)
	if err != nil {
		return err
	}
	s.check("A's list", "anthropic, openrouter", names)
	o, err := s.do(ctx, "", "agentkeys", "read", "openrouter", "--wallet", s.a.wallet)
	if err != nil {
		return err
	}
	s.check("A reads openrouter", "exit 0 "+openrouterKey, o.String())
	return nil
}

func (s *scene) runsAProgram(ctx context.Context) error {
	s.begin("agentkeys run starts an unmodified program with the variables set")
	script := `echo "$OPENROUTER_API_KEY $ANTHROPIC_API_KEY ${BRAVE_SEARCH_API_KEY-unset}"; exit 7`
	o, err := s.do(ctx, "", "agentkeys", "run", "--wallet", s.a.wallet, "--", "sh", "-c", script)
	if err != nil {
		return err
	}
	s.check("its variables, and its exit code", fmt.Sprintf("exit 7 %s %s unset", openrouterKey, anthropicKey), o.String())
	return nil
}

// refusal is the exit code of a command and the code in its error.
func (s *scene) refusal(ctx context.Context, args ...string) (string, error) {
	o, err := s.do(ctx, "", "agentkeys", append(args, "--json")...)
	if err != nil {
		return "", err
	}
	var e struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal([]byte(o.stderr), &e) != nil || o.stdout != "" {
		return o.String(), nil
	}
	s.note("%s", e.Error.Message)
	return fmt.Sprintf("exit %d %s", o.code, e.Error.Code), nil
}

func (s *scene) deniedByTheDaemon(ctx context.Context) error {
	s.begin("A asks its daemon for brave-search, which is B's")
	seen, err := s.refusal(ctx, "read", "brave-search", "--wallet", s.a.wallet)
	if err != nil {
		return err
	}
	s.check("DENIED", "exit 77 denied", seen)
	return nil
}

func (s *scene) deniedByTheBroker(ctx context.Context) error {
	s.begin("A's token used straight against the broker for B's wallet")
	seen, err := s.refusal(ctx, "read", "brave-search", "--session-id", "daemon-"+s.a.wallet, "--agent", s.b.wallet)
	if err != nil {
		return err
	}
	s.check("DENIED", "exit 77 denied", seen)
	return nil
}

// auditTrail waits for the daemon's report, which arrives within a second.
func (s *scene) auditTrail(ctx context.Context) error {
	s.begin("both denials are in the audit trail: agentkeys usage")
	want := "denied at broker, denied at local"
	var seen string
	for range 200 {
		var rows []struct{ Agent, Service, Action, Result, Where string }
		if err := s.decode(ctx, &rows, "agentkeys", "usage", "--json"); err != nil {
			return err
		}
		var denials []string
		for _, r := range rows {
			if r.Agent == s.a.wallet && r.Service == "brave-search" && r.Action == "access_denied" {
				denials = append(denials, r.Result+" at "+r.Where)
			}
		}
		slices.Sort(denials)
		if seen = strings.Join(slices.Compact(denials), ", "); seen == want {
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	s.check("A, brave-search, access_denied", want, seen)
	return nil
}

func (s *scene) otherSeesNothing(ctx context.Context) error {
	s.begin("B works and sees nothing of A's")
	names, err := s.listed(ctx, s.b)
	if err != nil {
		return err
	}
	s.check("B's list", "brave-search", names)
	o, err := s.do(ctx, "", "agentkeys", "read", "brave-search", "--wallet", s.b.wallet)
	if err != nil {
		return err
	}
	s.check("B reads brave-search", "exit 0 "+braveKey, o.String())
	seen, err := s.refusal(ctx, "read", "openrouter", "--wallet", s.b.wallet)
	if err != nil {
		return err
	}
	s.check("B asks for openrouter", "exit 77 denied", seen)
	return nil
}
