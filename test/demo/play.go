package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

// agent is one of the two agents.
type agent struct {
	name, scope, wallet, backend string
	began                        time.Time
	*program
}

// The values are made up. The demonstration shows which agent gets which.
const (
	openrouterKey = "sk-or-v1-demo-of-agent-A"
	anthropicKey  = "sk-ant-demo-of-agent-A"
	braveKey      = "BSA-demo-of-agent-B"
)

type scene struct {
	*host
	*report
	a, b agent
}

// play runs Demo 1. An error means that it could not continue.
func play(ctx context.Context, h *host, r *report) error {
	s := &scene{host: h, report: r, a: agent{name: "A", scope: "openrouter,anthropic"}, b: agent{name: "B", scope: "brave-search"}}
	for _, step := range []func(context.Context) error{
		s.broker, s.owner, s.pairBoth, s.storage, s.storeKeys, s.startBoth,
		s.readsItsOwn, s.runsAProgram, s.deniedByTheDaemon, s.deniedByTheBroker, s.auditTrail,
		s.otherSeesNothing, s.metrics, s.stopAndStart,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) broker(ctx context.Context) error {
	s.begin("a broker on a free loopback port")
	p, err := s.start("agentkeys-broker", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(s.dir, "broker"))
	if err != nil {
		return err
	}
	line, err := p.line(ctx, "listening on ")
	if err != nil {
		return err
	}
	_, url, _ := strings.Cut(line, "listening on ")
	s.check("the broker says where it listens", "http://127.0.0.1:", url[:min(len(url), len("http://127.0.0.1:"))])
	s.note("%s", url)
	s.setenv("AGENTKEYS_BROKER", url)
	// A slot of its own, because the person who runs this may have an owner's session.
	s.setenv("AGENTKEYS_SESSION_ID", filepath.Base(s.dir))
	return nil
}

func (s *scene) owner(ctx context.Context) error {
	s.begin("one owner: agentkeys init --setup-token-file FILE")
	_, err := s.must(ctx, "", "agentkeys", "init", "--setup-token-file", filepath.Join(s.dir, "broker", "setup-token"))
	if err != nil {
		return err
	}
	var who struct{ Wallet string }
	if err := s.decode(ctx, &who, "agentkeys", "whoami", "--json"); err != nil {
		return err
	}
	s.check("the owner has a wallet", "0x and 40 digits", map[bool]string{true: "0x and 40 digits", false: who.Wallet}[len(who.Wallet) == 42])
	s.note("owner %s", who.Wallet)
	return nil
}

func (s *scene) pairBoth(ctx context.Context) error {
	s.begin("two agents, each paired by the code that its daemon shows, on one AGENTKEYS_HOME")
	for _, a := range []*agent{&s.a, &s.b} {
		if err := s.pair(ctx, a); err != nil {
			return err
		}
	}
	s.check("two pairings give two agents", "different wallets", map[bool]string{true: "different wallets", false: "one wallet"}[s.a.wallet != s.b.wallet])
	return nil
}

func (s *scene) pair(ctx context.Context, a *agent) error {
	p, err := s.start("agentkeys-daemon", "pair", "--json", "--alias", "demo-"+strings.ToLower(a.name))
	if err != nil {
		return err
	}
	var shown, paired struct {
		Code, Wallet   string
		StorageBackend string `json:"storage_backend"`
		Scope          []string
	}
	line, err := p.line(ctx, `"pair_code"`)
	if err != nil || json.Unmarshal([]byte(line), &shown) != nil {
		return fmt.Errorf("pair %s: %w: %q", a.name, err, line)
	}
	s.note("%s shows %s; the owner types: agentkeys approve %s --scope %s", a.name, shown.Code, shown.Code, a.scope)
	if _, err := s.must(ctx, "", "agentkeys", "approve", shown.Code, "--scope", a.scope, "--yes"); err != nil {
		return err
	}
	line, err = p.line(ctx, `"paired"`)
	if err != nil || json.Unmarshal([]byte(line), &paired) != nil {
		return fmt.Errorf("pair %s: %w: %q", a.name, err, line)
	}
	a.wallet, a.backend = paired.Wallet, paired.StorageBackend
	s.check(a.name+" has the scope that the owner gave", sorted(strings.Split(a.scope, ",")), sorted(paired.Scope))
	s.note("%s is %s", a.name, a.wallet)
	return nil
}

func (s *scene) storeKeys(ctx context.Context) error {
	s.begin("the owner stores the keys: agentkeys store SERVICE --agent ALIAS < value")
	for _, k := range [][3]string{{"demo-a", "openrouter", openrouterKey}, {"demo-a", "anthropic", anthropicKey}, {"demo-b", "brave-search", braveKey}} {
		if _, err := s.must(ctx, k[2]+"\n", "agentkeys", "store", k[1], "--agent", k[0]); err != nil {
			return err
		}
		s.note("%s for %s", k[1], k[0])
	}
	return nil
}

func (s *scene) startBoth(ctx context.Context) error {
	s.begin("both daemons: agentkeys-daemon run --wallet W")
	for _, a := range []*agent{&s.a, &s.b} {
		if err := s.up(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// up starts an instance and waits until it serves.
func (s *scene) up(ctx context.Context, a *agent) error {
	var err error
	a.began = time.Now()
	if a.program, err = s.start("agentkeys-daemon", "run", "--wallet", a.wallet); err != nil {
		return err
	}
	o, err := s.do(ctx, "", "agentkeys-daemon", "wait", "--wallet", a.wallet, "--timeout", "20s")
	if err != nil {
		return err
	}
	s.check(a.name+" is ready", "exit 0", fmt.Sprint("exit ", o.code))
	if o.code != 0 {
		return fmt.Errorf("the daemon of %s is not ready: %s", a.name, o)
	}
	return s.online(ctx, a)
}

// online waits for the first answer of the broker.
func (s *scene) online(ctx context.Context, a *agent) error {
	for {
		var st struct{ State words.State }
		if err := s.decode(ctx, &st, "agentkeys-daemon", "status", "--wallet", a.wallet, "--json"); err != nil {
			return err
		}
		if st.State == words.StateOnline {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s is %s: %w", a.name, st.State, err)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(50 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// decode runs a command and reads the JSON that it prints.
func (s *scene) decode(ctx context.Context, v any, name string, args ...string) error {
	o, err := s.must(ctx, "", name, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(o.stdout), v); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", name, args[0], err)
	}
	return nil
}
