package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spellings are the forms in which a secret could stand somewhere by mistake.
func spellings(secret string) []string {
	out := []string{secret}
	for _, raw := range raws(secret) {
		out = append(out, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)))
		if string(raw) != secret {
			out = append(out, string(raw))
		}
		for shift := range 3 { // base64 of a longer text that holds it
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				text := enc.EncodeToString(append(make([]byte, shift), raw...))
				from := (shift*8 + 5) / 6
				if shift > 0 {
					from++
				}
				if to := len(text) - 1; to-from >= 8 {
					out = append(out, text[from:to])
				}
			}
		}
	}
	return out
}

// raws are the bytes of the text, and what the text stands for if it is base64url.
func raws(secret string) [][]byte {
	out := [][]byte{[]byte(secret)}
	if b, err := base64.RawURLEncoding.DecodeString(secret); err == nil && len(b) == 32 {
		out = append(out, b)
	}
	return out
}

// secretsOf are all secrets in a slot of the file backend.
func secretsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, key := range []string{"token", "next", "device_key", "device_sign_key", "identity", "signing_seed"} {
		if raw, ok := payload(t, dir)[key]; ok {
			if s := text(t, raw); s != "" {
				out[key+" of "+filepath.Base(dir)] = s
			}
		}
	}
	return out
}

func TestACanaryIsFoundNowhere(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	debug := pi.with("AGENTKEYS_LOG_LEVEL", "debug")
	w := o.adopt(debug, "bot", "openrouter,anthropic")
	o.put("bot", "openrouter", keyOpenRouter)
	o.put("bot", "brave-search", keyBrave)
	secrets := map[string]string{"a credential": keyOpenRouter, "one out of scope": keyBrave}
	merge := func(more map[string]string) {
		for k, v := range more {
			secrets[k] = v
		}
	}
	merge(secretsOf(t, pi.slot(w)))
	merge(secretsOf(t, filepath.Join(o.home, "master")))
	d := debug.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	d.denies("brave-search")
	places := map[string]string{}
	for _, p := range []struct {
		name string
		pid  int
	}{{"the daemon", d.cmd.Process.Pid}, {"the broker", b.cmd.Process.Pid}} {
		for _, file := range []string{"cmdline", "environ"} {
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, file))
			if err != nil && !os.IsPermission(err) {
				t.Fatal(err)
			}
			places[file+" of "+p.name] = string(data)
		}
	}
	_, places["metrics of the daemon"], _ = d.get("/metrics")
	if !strings.Contains(places["metrics of the daemon"], "agentkeys_build_info") {
		t.Error("no metrics")
	}
	_, places["status of the daemon"], _ = d.get("/v1/status")
	_, places["session of the daemon"], _ = d.get("/v1/session")
	d.stop()
	age(t, pi.slot(w)) // a renewal, its secrets too
	d = debug.daemon(w)
	d.reaches("online")
	merge(secretsOf(t, pi.slot(w)))
	bearerErrors(t, b, secrets["token of daemon-"+w], places)
	for _, args := range [][]string{{"read", "brave-search", "--wallet", w}, {"read", "x", "--agent", "nobody"}, {"agents", "--verbose"}, {"usage", "--json"}, {"whoami", "--json", "--verbose"}} {
		r := o.do(args...)
		places["agentkeys "+strings.Join(args, " ")] = r.stdout + r.stderr
	}
	d.kill()
	b.stop()
	places["log and output of the daemon"], places["log of the broker"] = d.err.String()+d.out.String(), b.m.said.String()
	for name, content := range tree(t, b.data) {
		places["broker's file "+name] = content
	}
	for _, m := range []*machine{pi, o.machine} {
		for name, content := range tree(t, m.dir) {
			if !strings.HasSuffix(name, "/session.json") { // the slot itself, mode 0600
				places["file "+name] = content
			}
		}
	}
	for what, secret := range secrets {
		for _, form := range spellings(secret) {
			for where, content := range places {
				if strings.Contains(content, form) {
					t.Errorf("%s is in %s as %.12q", what, where, form)
				}
			}
		}
	}
}

// bearerErrors collects what the broker says to a bearer in its errors.
func bearerErrors(t *testing.T, b *broker, token string, places map[string]string) {
	t.Helper()
	for _, path := range []string{"/v1/agents/x", "/v1/agent/sync?wait=nonsense", "/v1/nothing", "/v1/audit", "/v1/agents/0x00000000000000000000000000000000000000aa/manifest"} {
		req, err := http.NewRequest(http.MethodGet, b.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		_, body, err := read(http.DefaultClient.Do(req))
		if err != nil {
			t.Fatal(err)
		}
		places["answer to "+path] = body
	}
}

// The test would find what it looks for.
func TestTheCanaryIsSeenInEverySpelling(t *testing.T) {
	t.Parallel()
	secret := "sk-or-v1-canary-openrouter"
	for name, text := range map[string]string{
		"plain": "x" + secret + "y", "hex": hex.EncodeToString([]byte("ab" + secret)), "base64": base64.StdEncoding.EncodeToString([]byte("{\"v\":\"" + secret + "\"}")),
		"base64 shifted": base64.StdEncoding.EncodeToString([]byte("ab" + secret + "cd")), "base64url": base64.RawURLEncoding.EncodeToString([]byte("abc" + secret)),
	} {
		found := false
		for _, form := range spellings(secret) {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("%s is not seen", name)
		}
	}
}
