package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// bytesOf edits a base64url text inside a document.
func bytesOf(doc map[string]any, key string, change func([]byte) []byte) {
	s, _ := doc[key].(string)
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || s == "" {
		return
	}
	doc[key] = base64.RawURLEncoding.EncodeToString(change(raw))
}

// inner edits a document that travels as bytes, as a broker without its key would.
func inner(key string, change func(map[string]any)) func(map[string]any) {
	return func(doc map[string]any) {
		holder := doc
		if _, ok := doc[key].(map[string]any); ok {
			holder, _ = doc[key].(map[string]any)
		}
		bytesOf(holder, key, func(raw []byte) []byte {
			var in map[string]any
			if json.Unmarshal(raw, &in) != nil {
				return raw
			}
			change(in)
			out, err := json.Marshal(in)
			if err != nil {
				return raw
			}
			return out
		})
	}
}

func set(key string, value any) func(map[string]any) {
	return func(doc map[string]any) { doc[key] = value }
}

// otherRequest is the request of another board, as the broker could put in the way.
func otherRequest(t *testing.T, b *broker) (deviceKey string) {
	t.Helper()
	m := newMachine(t)
	p := m.pair(b.url)
	p.kill()
	for name, content := range tree(t, m.home) {
		if !strings.HasSuffix(name, "session.json") {
			continue
		}
		_, body, _ := strings.Cut(content, " ")
		var head struct {
			Payload struct{ Pairing struct{ Request string } }
		}
		if err := json.Unmarshal([]byte(body), &head); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(head.Payload.Pairing.Request)
		var request struct {
			DeviceKey string `json:"device_key"`
		}
		if err != nil || json.Unmarshal(raw, &request) != nil || request.DeviceKey == "" {
			t.Fatalf("no request in the pending slot: %v", err)
		}
		return request.DeviceKey
	}
	t.Fatal("no pending slot")
	return ""
}

// The owner's command line believes the request only if who shows the code made it.
func TestALyingBrokerIsCaughtByApprove(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	l := newLiar(t, b)
	through := &owner{machine: o.with("AGENTKEYS_BROKER", l.url)}
	foreign := otherRequest(t, b)
	p := newMachine(t).pair(b.url, "--alias", "bot", "--scope", "a")
	for name, change := range map[string]func(map[string]any){
		"swapped device key": inner("request", set("device_key", foreign)),
		"swapped scope":      inner("request", set("requested_scope", "all")),
		"swapped alias":      inner("request", set("alias", "other")),
		"swapped kind":       inner("request", func(d map[string]any) { d["kind"], d["identity"] = "recover", "bot" }),
		"swapped host":       inner("request", set("host", "laptop")),
		"swapped MAC":        func(d map[string]any) { bytesOf(d, "mac", func(m []byte) []byte { m[0] ^= 1; return m }) },
	} {
		l.tell(func(e *exchange) {
			if e.is(http.MethodPost, "/v1/pairings/find") {
				e.edit(change)
			}
		})
		r := through.do("approve", p.code, "--scope", "a", "--yes", "--json")
		if told := l.tell(nil); told == 0 {
			t.Errorf("%s: the lie was not told", name)
		}
		if r.code == exitOK || errorCode(t, r) != "pairing_forged" {
			t.Errorf("%s: exit %d, %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	var agents []map[string]any
	if o.decode(&agents, "agents", "--json"); len(agents) != 0 {
		t.Errorf("agents were made: %v", agents)
	}
	through.must("approve", p.code, "--scope", "a", "--yes") // the same broker, honest
	p.paired()
}

// The board believes a grant only if who typed its code made it.
func TestALyingBrokerIsCaughtByPair(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"swapped grant":     inner("grant", set("wallet", "0x00000000000000000000000000000000000000aa")),
		"swapped owner":     inner("grant", set("owner", "0x00000000000000000000000000000000000000aa")),
		"swapped owner key": inner("grant", set("owner_sign_key", strings.Repeat("A", 43))),
		"swapped grant MAC": func(d map[string]any) { bytesOf(d, "grant_mac", func(m []byte) []byte { m[0] ^= 1; return m }) },
		"widened manifest":  func(d map[string]any) { inner("manifest", set("scope", "all"))(d) },
		"swapped signature": func(d map[string]any) {
			if m, ok := d["manifest"].(map[string]any); ok {
				bytesOf(m, "signature", func(s []byte) []byte { s[0] ^= 1; return s })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t)
			o := newOwner(t, b)
			l := newLiar(t, b)
			l.tell(func(e *exchange) {
				if e.is(http.MethodGet, "/v1/pairings/self") && e.status == http.StatusOK {
					e.edit(change)
				}
			})
			m := newMachine(t)
			p := m.pair(l.url)
			o.must("approve", p.code, "--scope", "a", "--yes")
			p.failed("pairing_forged")
			if l.tell(nil) == 0 {
				t.Error("the lie was not told")
			}
			noSlots(t, m)
		})
	}
}

// A denial that does not come from who typed the code changes nothing.
func TestAForgedDenialIsIgnored(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	l := newLiar(t, b)
	l.hurry()
	l.tell(func(e *exchange) {
		if e.is(http.MethodGet, "/v1/pairings/self") {
			e.problem(http.StatusForbidden, "pairing_denied", "deny_mac", strings.Repeat("A", 43))
		}
	})
	p := newMachine(t).pair(l.url)
	eventually(t, patience, "the forged denial is told twice", func() (string, bool) {
		return fmt.Sprint(l.count()), l.count() >= 2
	})
	if !p.running() {
		t.Fatalf("the board believed it: %s%s", p.out, p.err)
	}
	o.must("approve", p.code, "--scope", "a", "--yes")
	l.tell(nil)
	p.paired()
}

// At `store` the owner's command line takes the device key only from its own signature.
func TestALyingBrokerIsCaughtByStore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	foreign := otherRequest(t, s.b)
	l := newLiar(t, s.b)
	through := &owner{machine: s.o.with("AGENTKEYS_BROKER", l.url)}
	path := "/v1/agents/" + s.a
	old := ""
	record := func(e *exchange) {
		if e.is(http.MethodGet, path) && e.status == http.StatusOK && strings.Contains(string(e.body), "signature") && old == "" {
			old = string(e.body)
		}
	}
	l.tell(record)
	through.must("scope", "--agent", s.a)
	l.tell(nil)
	through.must("link", "--agent", s.a, "--email", "newer@example.com")
	agents := func(change func(map[string]any)) func(*exchange) {
		return func(e *exchange) {
			if e.method != http.MethodGet || !strings.HasPrefix(e.path, "/v1/agents") {
				return
			}
			e.edit(func(doc map[string]any) {
				change(doc)
				list, _ := doc["agents"].([]any)
				for _, a := range list {
					if one, ok := a.(map[string]any); ok {
						change(one)
					}
				}
			})
		}
	}
	lies := map[string]func(*exchange){
		"another device key":          agents(inner("manifest", set("device_key", foreign))),
		"a scope wider than signed":   agents(inner("manifest", set("scope", "all"))),
		"a manifest of another agent": agents(inner("manifest", set("wallet", s.z))),
	}
	if old != "" {
		lies["an old manifest"] = func(e *exchange) {
			if e.method != http.MethodGet || !strings.HasPrefix(e.path, path) {
				return
			}
			var was map[string]any
			if json.Unmarshal([]byte(old), &was) == nil {
				e.edit(func(doc map[string]any) {
					for _, k := range []string{"manifest", "signature", "revision"} {
						if _, ok := doc[k]; ok {
							doc[k] = was[k]
						}
					}
				})
			}
		}
	} else {
		t.Error("no manifest was asked for")
	}
	for name, lie := range lies {
		l.tell(lie)
		r := through.run("canary", "agentkeys", "store", "openrouter", "--agent", s.a, "--json")
		if l.tell(nil) == 0 {
			t.Errorf("%s: the lie was not told", name)
		}
		if r.code == exitOK || errorCode(t, r) != "manifest_refused" {
			t.Errorf("%s: exit %d, %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	if r := s.o.must("read", "openrouter", "--agent", s.a); r.stdout != keyOpenRouter {
		t.Errorf("the value changed to %q", r.stdout)
	}
}
