package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRecoverByAliasEMailAndWallet(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.o.must("link", "--agent", "bot-a", "--email", "bot@example.com")
	old := s.pi.daemon(s.a)
	old.serves("openrouter", keyOpenRouter)
	for _, identity := range []string{"bot-a", "bot@example.com", s.a, display(t, s.a)} {
		board := newMachine(t)
		r := board.recover(s.b.url, identity)
		if refused := s.o.do("approve", r.code, "--scope", "all", "--yes"); refused.code == exitOK {
			t.Fatalf("%s: approved a recovery as if it were a pairing", identity)
		}
		s.o.must("approve", r.code, "--agent", "bot-a", "--yes")
		e := r.paired()
		if e.Wallet != s.a || string(e.Scope) != `["anthropic","openrouter"]` || e.SessionID != "daemon-"+s.a {
			t.Fatalf("%s: %+v", identity, e)
		}
		d := board.daemon(s.a)
		d.serves("openrouter", keyOpenRouter)
		d.serves("anthropic", keyAnthropic)
		d.denies("brave-search")
		old.reaches("revoked")
		old.denies("openrouter")
		old.stop()
		old = d
	}
	var agents []map[string]any
	if s.o.decode(&agents, "agents", "--json"); len(agents) != 2 {
		t.Errorf("%d agents: %v", len(agents), agents)
	}
}

func TestRecoverOnTheSameBoardReplacesTheSlot(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.o.must("revoke", "bot-a", "--yes")
	d := s.pi.daemon(s.a)
	d.reaches("revoked")
	d.stop()
	before := payload(t, s.pi.slot(s.a))
	r := s.pi.recover(s.b.url, "bot-a")
	s.o.must("approve", r.code, "--agent", s.a, "--yes")
	if e := r.paired(); e.Wallet != s.a {
		t.Fatalf("%+v", e)
	}
	after := payload(t, s.pi.slot(s.a))
	for _, key := range []string{"token", "device_key", "device_sign_key"} {
		if text(t, before[key]) == text(t, after[key]) {
			t.Errorf("%s is the old one", key)
		}
	}
	s.pi.daemon(s.a).serves("openrouter", keyOpenRouter)
	s.pi.daemon(s.z).serves("brave-search", keyBrave)
}

func TestAnotherOwnerCannotApproveARecovery(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	succeed(t, s.b.m.run("", "agentkeys-broker", "setup-token", "--data", s.b.data), []string{"setup-token"})
	other := newOwner(t, s.b)
	old := s.pi.daemon(s.a)
	old.serves("openrouter", keyOpenRouter)
	board := newMachine(t)
	r := board.recover(s.b.url, s.a)
	for _, agent := range []string{s.a, "bot-a"} {
		refused := other.do("approve", r.code, "--agent", agent, "--yes")
		if refused.code == exitOK {
			t.Fatalf("another owner approved: %s", refused.stdout)
		}
	}
	if got, code := old.value("openrouter"); got != keyOpenRouter {
		t.Errorf("the session in use: %d", code)
	}
	if x := other.do("read", "openrouter", "--agent", s.a); x.code == exitOK || strings.Contains(x.stdout, keyOpenRouter) {
		t.Errorf("another owner reads: exit %d", x.code)
	}
	s.o.must("approve", r.code, "--agent", "bot-a", "--yes")
	if e := r.paired(); e.Wallet != s.a {
		t.Fatalf("%+v", e)
	}
}

func TestRecoverAnUnknownIdentityFailsAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	fastest := patience
	for _, identity := range []string{"nobody", "nobody@example.com", "0x00000000000000000000000000000000000000aa"} {
		board := newMachine(t)
		r := board.run("", "agentkeys-daemon", "recover", identity, "--broker", s.b.url, "--json")
		if r.code != exitFault || r.took >= 20*time.Second || strings.Contains(r.stdout, "pair_code") {
			t.Errorf("%s: exit %d after %s, %s%s", identity, r.code, r.took, r.stdout, r.stderr)
		}
		noSlots(t, board)
		fastest = min(fastest, r.took)
	}
	if fastest >= 2*time.Second {
		t.Errorf("the fastest took %s", fastest)
	}
	for _, identity := range []string{"", "Not An Alias", "a\nb", "../x"} {
		if r := newMachine(t).run("", "agentkeys-daemon", "recover", identity, "--broker", s.b.url); r.code != exitUsage {
			t.Errorf("%q: exit %d, %s", identity, r.code, r.stderr)
		}
	}
}

func TestADeniedRecoveryLeavesTheLiveSlotAsItWas(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	before := s.pi.cached(s.a, "openrouter")
	r := s.pi.recover(s.b.url, "bot-a")
	s.o.must("deny", r.code)
	if end := r.failed("pairing_denied"); end.code != exitDenied {
		t.Errorf("exit %d", end.code)
	}
	for name, was := range before {
		if now := tree(t, s.pi.slot(s.a))[name]; now != was {
			t.Errorf("%s changed", name)
		}
	}
	if got, _ := d.value("openrouter"); got != keyOpenRouter {
		t.Error("the live daemon no longer serves")
	}
	left, err := filepath.Glob(filepath.Join(s.pi.home, "pending-*", "session.json"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Stat(s.pi.slot(s.a)); err != nil {
		t.Error(err)
	}
}

func TestTheOwnerComesBackWithTheRecoveryKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	laptop := &owner{machine: newMachine(t).with("AGENTKEYS_BROKER", s.b.url)}
	args := []string{"init", "--recovery-key", "-"}
	succeed(t, laptop.run(s.o.recovery+"\n", "agentkeys", args...), args)
	if who := laptop.whoami(); who.Wallet != s.o.wallet || who.SessionID != "master" || who.StorageBackend != "file" {
		t.Fatalf("%+v", who)
	}
	if r := laptop.must("read", "openrouter", "--agent", "bot-a"); r.stdout != keyOpenRouter {
		t.Errorf("read: %q", r.stdout)
	}
	again := laptop.must("init")
	if !strings.Contains(strings.ToLower(again.stdout+again.stderr), strings.ToLower(s.o.wallet)) {
		t.Errorf("init again does not say who I am: %s%s", again.stdout, again.stderr)
	}
	if r := newMachine(t).with("AGENTKEYS_BROKER", s.b.url).run("AGENTKEYS-RECOVERY-1-AAAA\n", "agentkeys", args...); r.code != exitUsage {
		t.Errorf("a broken key: exit %d, %s", r.code, r.stderr)
	}
}
