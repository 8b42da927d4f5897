package e2e_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// After a board was lost its owner asks what it had: each read is there, with who read it.
func TestUsageSaysWhatALostAgentHad(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	d.serves("anthropic", keyAnthropic)
	had := func() bool {
		t.Helper()
		var rows []struct {
			Agent, Service, Action, Result, Where, Interface, Caller string
			Count                                                    int
		}
		s.o.decode(&rows, "usage", "--agent", "bot-a", "--all", "--json")
		read := map[string]bool{}
		for _, r := range rows {
			if r.Agent != s.a {
				t.Fatalf("a row of another agent: %+v", r)
			}
			if r.Action == "access_granted" && r.Where == "local" && r.Result == "ok" {
				read[r.Service] = r.Interface == "agent.sock" && r.Caller == "uid="+strconv.Itoa(os.Getuid()) && r.Count >= 1
			}
		}
		return len(read) == 2 && read["openrouter"] && read["anthropic"]
	}
	eventually(t, patience, "the reads are reported", func() (string, bool) { return "", had() })
	s.o.must("revoke", "bot-a", "--yes")
	if !had() {
		t.Error("after the revocation it is not seen any more")
	}
}

// A daemon in a user's own instance serves that user, as long as no rule says otherwise.
func TestWhoMayAskIsTheUserOrWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	rules := func(text string) {
		t.Helper()
		file := filepath.Join(s.pi.env["AGENTKEYS_CONFIG_DIR"], "daemon.toml")
		if err := os.WriteFile(file, []byte("allow_root = false\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules("")
	d := s.pi.daemon(s.a)
	d.serves("openrouter", keyOpenRouter)
	rules("allow = [\"user=4294967294\"]\n")
	d.signal(syscall.SIGHUP)
	d.denies("openrouter")
	rules("allow = [\"user=" + strconv.Itoa(os.Getuid()) + "\"]\n[credentials.anthropic]\nallow = [\"user=4294967294\"]\n")
	d.signal(syscall.SIGHUP)
	d.serves("openrouter", keyOpenRouter)
	d.denies("anthropic")
}
