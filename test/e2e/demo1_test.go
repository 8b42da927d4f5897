package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// scene is Demo 1: one owner, two agents on one home.
type scene struct {
	b    *broker
	o    *owner
	pi   *machine
	a, z string // wallets: openrouter and anthropic; brave-search
}

const (
	keyOpenRouter = "sk-or-v1-canary-openrouter"
	keyAnthropic  = "sk-ant-canary-anthropic"
	keyBrave      = "BSA-canary-brave"
)

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{b: startBroker(t)}
	s.o = newOwner(t, s.b)
	s.pi = newMachine(t)
	s.a = s.o.adopt(s.pi, "bot-a", "openrouter,anthropic")
	s.z = s.o.adopt(s.pi, "bot-z", "brave-search")
	s.o.put("bot-a", "openrouter", keyOpenRouter)
	s.o.put("bot-a", "anthropic", keyAnthropic)
	s.o.put("bot-z", "brave-search", keyBrave)
	return s
}

type usage struct {
	Agent   string `json:"agent"`
	Service string `json:"service"`
	Action  string `json:"action"`
	Result  string `json:"result"`
	Where   string `json:"where"`
	Time    int64  `json:"time"`
}

// usage waits until the owner sees a line of that kind.
func (o *owner) usage(want usage) {
	o.t.Helper()
	eventually(o.t, patience, fmt.Sprintf("usage %+v", want), func() (string, bool) {
		var rows []usage
		o.decode(&rows, "usage", "--json")
		for _, r := range rows {
			r.Time = 0
			if r == want {
				return "", true
			}
		}
		return fmt.Sprintf("%+v", rows), false
	})
}

func TestTwoAgentsOnOneHostEachServedItsOwnKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a, z := s.pi.daemon(s.a), s.pi.daemon(s.z)
	a.serves("openrouter", keyOpenRouter)
	a.serves("anthropic", keyAnthropic)
	z.serves("brave-search", keyBrave)

	for _, c := range []struct {
		wallet string
		want   []string
	}{{s.a, []string{"anthropic", "openrouter"}}, {s.z, []string{"brave-search"}}} {
		var list []struct {
			Service  string `json:"service"`
			Revision uint64 `json:"revision"`
			Age      *int64 `json:"age_seconds"`
		}
		r := s.pi.run("", "agentkeys", "list", "--wallet", c.wallet, "--json")
		if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || r.code != exitOK {
			t.Fatalf("list: %v, exit %d, %s%s", err, r.code, r.stdout, r.stderr)
		}
		var names []string
		for _, l := range list {
			names = append(names, l.Service)
			if l.Revision != 1 || l.Age == nil || *l.Age < 0 {
				t.Errorf("line %+v", l)
			}
		}
		if fmt.Sprint(names) != fmt.Sprint(c.want) {
			t.Errorf("%s lists %v, want %v", c.wallet, names, c.want)
		}
	}
	r := s.pi.run("", "agentkeys", "read", "openrouter", "--wallet", s.a)
	if r.code != exitOK || r.stdout != keyOpenRouter {
		t.Errorf("read: exit %d, %q, %s", r.code, r.stdout, r.stderr)
	}
	var one struct{ Agent, Service, Credential string }
	r = s.pi.run("", "agentkeys", "read", "openrouter", "--wallet", s.a, "--json")
	if err := json.Unmarshal([]byte(r.stdout), &one); err != nil || one.Service != "openrouter" || one.Credential != keyOpenRouter || one.Agent != s.a {
		t.Errorf("read --json: %v, %s%s", err, r.stdout, r.stderr)
	}

	// A asks its own daemon for what is B's.
	r = s.pi.run("", "agentkeys", "read", "brave-search", "--wallet", s.a, "--json")
	if r.code != exitDenied || errorCode(t, r) != "denied" || strings.Contains(r.stdout, keyBrave) {
		t.Errorf("read of B's service: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	s.o.usage(usage{Agent: s.a, Service: "brave-search", Action: "access_denied", Result: "denied", Where: "local"})

	// A's token straight against the broker for B's wallet.
	direct := s.pi.with("AGENTKEYS_BROKER", s.b.url)
	r = direct.run("", "agentkeys", "read", "brave-search", "--session-id", "daemon-"+s.a, "--agent", s.z, "--json")
	if r.code != exitDenied || errorCode(t, r) != "denied" || strings.Contains(r.stdout, keyBrave) {
		t.Errorf("A's token for B: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if code := bearer(t, s, s.a, "/v1/agents/"+s.z+"/records/brave-search"); code != http.StatusForbidden {
		t.Errorf("A's token for B's record: HTTP %d", code)
	}
	s.o.usage(usage{Agent: s.a, Service: "brave-search", Action: "access_denied", Result: "denied", Where: "broker"})
	s.o.usage(usage{Agent: s.a, Service: "openrouter", Action: "access_granted", Result: "ok", Where: "local"})
}

// bearer asks the broker with the token of an agent's slot, as a thief would.
func bearer(t testing.TB, s *scene, wallet, path string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.b.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+text(t, payload(t, s.pi.slot(wallet))["token"]))
	code, _, err := read(http.DefaultClient.Do(req))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// errorCode is the code of the one JSON object on standard error.
func errorCode(t testing.TB, r result) string {
	t.Helper()
	var doc struct {
		Error struct{ Code, Message, Hint string } `json:"error"`
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(r.stderr)), &doc); err != nil || doc.Error.Message == "" {
		t.Errorf("standard error is not one JSON object: %v in %q", err, r.stderr)
	}
	return doc.Error.Code
}

func TestTwoDaemonsOnOneHomeLeaveEachOtherByteForByte(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	pi := newMachine(t)
	o := initOwner(pi, b) // the owner's master slot is on the same home
	wa, wz := o.adopt(pi, "bot-a", "openrouter"), o.adopt(pi, "bot-z", "brave-search")
	o.put("bot-a", "openrouter", keyOpenRouter)
	o.put("bot-z", "brave-search", keyBrave)
	if pi.slot(wa) == pi.slot(wz) || wa == wz {
		t.Fatal("one slot for two agents")
	}
	z := pi.daemon(wz)
	z.serves("brave-search", keyBrave)
	a := pi.daemon(wa)
	a.serves("openrouter", keyOpenRouter)
	master := text(t, payload(t, pi.home+"/master")["token"])
	others, head := pi.cached(wz, "brave-search"), tree(t, pi.home+"/master")["session.json"]
	same := func(after string) {
		t.Helper()
		now := tree(t, pi.slot(wz))
		for name, was := range others {
			if now[name] != was {
				t.Errorf("after %s of A, B's %s changed", after, name)
			}
		}
		if len(now) != len(others) {
			t.Errorf("after %s of A, B has other files: %d, not %d", after, len(now), len(others))
		}
		if tree(t, pi.home+"/master")["session.json"] != head {
			t.Errorf("after %s of A, master changed", after)
		}
		if got, code := z.value("brave-search"); code != http.StatusOK || got != keyBrave {
			t.Errorf("after %s of A, B serves %d", after, code)
		}
	}
	if r := a.stop(); r.code != exitOK {
		t.Fatalf("stop: exit %d, %s", r.code, r.stderr)
	}
	same("stop")
	a = pi.daemon(wa)
	a.serves("openrouter", keyOpenRouter)
	same("start")
	a.stop()
	was := text(t, payload(t, pi.slot(wa))["token"])
	age(t, pi.slot(wa))
	a = pi.daemon(wa)
	eventually(t, patience, "renewal", func() (string, bool) {
		p := payload(t, pi.slot(wa))
		_, pending := p["next"]
		return a.err.String(), text(t, p["token"]) != was && !pending
	})
	same("renewal")
	o.must("revoke", "bot-a", "--yes")
	a.reaches("revoked")
	same("revocation")
	if text(t, payload(t, pi.home+"/master")["token"]) != master {
		t.Error("the owner's token changed")
	}
}

func TestASecondPairOnAHostMakesASecondAgent(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	r := pi.run("", "agentkeys-daemon", "run")
	if r.code != exitNoSession || !strings.Contains(r.stderr, "agentkeys-daemon pair") {
		t.Errorf("run without a slot: exit %d, %s", r.code, r.stderr)
	}
	first := o.adopt(pi, "one", "a")
	before := tree(t, pi.slot(first))["session.json"]
	second := o.adopt(pi, "two", "b")
	if first == second || tree(t, pi.slot(first))["session.json"] != before {
		t.Fatal("the second agent took over the first one's slot")
	}
	r = pi.run("", "agentkeys-daemon", "run")
	if r.code != exitUsage || !strings.Contains(r.stderr, first) || !strings.Contains(r.stderr, second) {
		t.Errorf("run without --wallet: exit %d, %s", r.code, r.stderr)
	}
	var agents []struct{ Wallet, Alias, State string }
	o.decode(&agents, "agents", "--json")
	if len(agents) != 2 {
		t.Errorf("%d agents: %+v", len(agents), agents)
	}
}

func TestRunWithoutWalletTakesTheOnlySlot(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "one", "a")
	d := &daemon{m: pi, wallet: w, process: pi.start("", "agentkeys-daemon", "run"), client: pi.local(w)}
	d.answers()
	d.reaches("online")
}
