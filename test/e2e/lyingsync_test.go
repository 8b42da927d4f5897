package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// lied pairs one agent whose broker is a liar, with two credentials.
func lied(t *testing.T) (l *liar, o *owner, pi *machine, wallet string) {
	t.Helper()
	b := startBroker(t)
	l = newLiar(t, b)
	o, pi = newOwner(t, b), newMachine(t)
	through := &owner{machine: o.with("AGENTKEYS_BROKER", l.url)}
	wallet = through.adopt(pi, "bot", "anthropic,openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	o.put("bot", "anthropic", keyAnthropic)
	return l, o, pi, wallet
}

func syncs(change func(map[string]any)) func(*exchange) {
	return func(e *exchange) {
		if e.is(http.MethodGet, "/v1/agent/sync") && e.status == http.StatusOK {
			e.edit(change)
		}
	}
}

func TestALyingBrokerIsCaughtBySync(t *testing.T) {
	t.Parallel()
	l, o, pi, w := lied(t)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	d.serves("anthropic", keyAnthropic)
	var old map[string]any
	l.tell(syncs(func(doc map[string]any) {
		if old == nil {
			raw, err := json.Marshal(doc)
			if err != nil || json.Unmarshal(raw, &old) != nil {
				old = nil
			}
		}
	}))
	o.must("scope", "--agent", "bot", "--set", "openrouter") // the daemon hears this one
	d.denies("anthropic")
	if l.tell(nil); old == nil {
		t.Fatal("no manifest was seen")
	}
	for _, c := range []struct {
		name string
		lie  func(map[string]any)
	}{
		{"a scope wider than signed", func(doc map[string]any) { inner("manifest", set("scope", "all"))(doc) }},
		{"a swapped signature", func(doc map[string]any) {
			bytesOf(doc, "signature", func(s []byte) []byte { s[0] ^= 1; return s })
		}},
		{"an old manifest", func(doc map[string]any) { // the daemon has seen newer ones by now
			maps.Copy(doc, old)
			doc["revision"] = 99
		}},
	} {
		name, lie := c.name, c.lie
		l.tell(syncs(lie))
		o.must("link", "--agent", "bot", "--email", strings.ReplaceAll(name, " ", "-")+"@example.com") // something to hear
		d.condition("manifest_refused")
		if got, code := d.value("openrouter"); got != keyOpenRouter {
			t.Errorf("%s: the good manifest is no longer served: %d", name, code)
		}
		d.denies("anthropic")
		l.tell(nil)
		o.must("link", "--agent", "bot", "--email", "honest@example.com")
		eventually(t, patience, name+": the condition ends with the lie", func() (string, bool) {
			for _, c := range d.status().Conditions {
				if c.Code == "manifest_refused" {
					return fmt.Sprintf("%+v\n%s", c, d.err), false
				}
			}
			return "", true
		})
	}
}

func TestAWithheldOrForeignRecordIsNamedAndTheRestServed(t *testing.T) {
	t.Parallel()
	foreign := func(doc map[string]any) {
		if doc["service"] == "anthropic" {
			bytesOf(doc, "data", func(d []byte) []byte { d[len(d)-1] ^= 1; return d })
		}
	}
	each := func(change func(list []any) []any) func(map[string]any) {
		return func(doc map[string]any) {
			if list, ok := doc["records"].([]any); ok {
				doc["records"] = change(list)
			}
		}
	}
	for name, lie := range map[string]func(records string, e *exchange){
		"withheld": func(records string, e *exchange) {
			if e.is(http.MethodGet, records+"/anthropic") {
				e.problem(http.StatusNotFound, "not_found")
			}
			if e.method == http.MethodGet && e.path == records {
				e.edit(each(func(list []any) []any {
					var kept []any
					for _, r := range list {
						if one, ok := r.(map[string]any); ok && one["service"] != "anthropic" {
							kept = append(kept, r)
						}
					}
					return kept
				}))
			}
		},
		"unavailable": func(records string, e *exchange) {
			if e.is(http.MethodGet, records+"/anthropic") {
				e.problem(http.StatusServiceUnavailable, "unavailable")
			}
		},
		"garbage": func(records string, e *exchange) {
			if e.is(http.MethodGet, records+"/anthropic") {
				page(http.StatusOK, "<html>")(e)
			}
		},
		"foreign": func(records string, e *exchange) {
			if !e.is(http.MethodGet, records) {
				return
			}
			e.edit(func(doc map[string]any) {
				foreign(doc)
				each(func(list []any) []any {
					for _, r := range list {
						if one, ok := r.(map[string]any); ok {
							foreign(one)
						}
					}
					return list
				})(doc)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, o, pi, w := lied(t)
			l.tell(func(e *exchange) { lie("/v1/agents/"+w+"/records", e) })
			d := pi.daemon(w)
			d.condition("record_withheld")
			d.serves("openrouter", keyOpenRouter)
			if got, code := d.value("anthropic"); code == http.StatusOK {
				t.Errorf("served %q", got)
			}
			if l.tell(nil) == 0 {
				t.Error("the lie was not told")
			}
			d.stop()
			d = pi.daemon(w)
			d.serves("anthropic", keyAnthropic)
			// A newer one that does not come is named too, and is not replaced by anything.
			l.tell(func(e *exchange) { lie("/v1/agents/"+w+"/records", e) })
			o.put("bot", "anthropic", "newer")
			d.condition("record_withheld")
			if got, code := d.value("anthropic"); code == http.StatusOK && got != keyAnthropic {
				t.Errorf("served %q", got)
			}
		})
	}
}

// The command line that acts as an agent does not go behind what its daemon has seen.
func TestALyingBrokerIsCaughtByTheSlotsOwnToken(t *testing.T) {
	t.Parallel()
	l, o, pi, w := lied(t)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	as := pi.with("AGENTKEYS_BROKER", l.url, "AGENTKEYS_SESSION_ID", "daemon-"+w)
	old := map[string][]byte{}
	keep := func(e *exchange) {
		if e.method == http.MethodGet && e.status == http.StatusOK && old[e.path] == nil {
			old[e.path] = e.body
		}
	}
	l.tell(keep)
	if r := as.run("", "agentkeys", "read", "openrouter"); r.code != exitOK || r.stdout != keyOpenRouter {
		t.Fatalf("read: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	l.tell(nil)
	o.put("bot", "openrouter", "a newer value")
	o.must("scope", "--agent", "bot", "--set", "anthropic")
	d.denies("openrouter")
	eventually(t, patience, "a cache without openrouter", func() (string, bool) {
		cache := tree(t, pi.slot(w))["cache.json"]
		return cache, strings.Contains(cache, `"service":"`) && !strings.Contains(cache, `"service":"openrouter"`)
	})
	pi.settled(pi.slot(w))
	l.tell(func(e *exchange) {
		if was, ok := old[e.path]; ok && e.method == http.MethodGet {
			e.status, e.header, e.body = http.StatusOK, http.Header{"Content-Type": {"application/json"}}, was
		}
	})
	r := as.run("", "agentkeys", "read", "openrouter", "--json")
	if r.code == exitOK || strings.Contains(r.stdout, keyOpenRouter) {
		t.Errorf("the broker brought back a record: exit %d, %s", r.code, r.stdout)
	} else if code := errorCode(t, r); code != "manifest_refused" {
		t.Errorf("named %s: %s", code, r.stderr)
	}
}
