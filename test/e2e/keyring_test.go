package e2e_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/test/needs"
)

// lookup asks the keyring as a person would.
func lookup(t *testing.T, m *machine, account string) string {
	t.Helper()
	env := keyringtest.Env(m.env["DBUS_SESSION_BUS_ADDRESS"], m.env["HOME"])
	needs.Programs(t, "secret-tool")
	return keyringtest.Run(t, env, "", "secret-tool", "lookup", "service", "agentkeys", "username", account)
}

func TestWithAnUnlockedKeyringNoPayloadIsInAnyFile(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	m, _ := desktop(t, keyringtest.Unlocked)
	o := initOwner(m, b)
	wa, wz := o.adopt(m, "bot-a", "openrouter"), o.adopt(m, "bot-z", "brave-search")
	o.put("bot-a", "openrouter", keyOpenRouter)
	o.put("bot-z", "brave-search", keyBrave)
	if who := o.whoami(); who.StorageBackend != "keychain" {
		t.Errorf("whoami: %+v", who)
	}
	a, z := m.daemon(wa), m.daemon(wz)
	a.serves("openrouter", keyOpenRouter)
	z.serves("brave-search", keyBrave)
	for _, account := range []string{"master", "daemon-" + wa, "daemon-" + wz} {
		value := lookup(t, m, account)
		rest, ok := strings.CutPrefix(value, "ak1.")
		_, encoded, dot := strings.Cut(rest, ".")
		if !ok || !dot || strings.ContainsAny(value, "\n ") {
			t.Fatalf("%s: the value is not one line of our form: %.20q", account, value)
		}
		raw, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || !strings.Contains(string(raw), `"token":"`) {
			t.Fatalf("%s: %v", account, err)
		}
		_, token, _ := strings.Cut(string(raw), `"token":"`)
		token = token[:43]
		head := headFile(t, m.home+"/"+account)
		if _, there := head["payload"]; there || text(t, head["where"]) != "keychain" {
			t.Errorf("%s: head %v", account, head["where"])
		}
		for name, content := range tree(t, m.home) {
			for _, form := range append(spellings(token), encoded, string(raw)) {
				if strings.Contains(content, form) {
					t.Errorf("the session of %s is in the file %s", account, name)
				}
			}
		}
	}
	if wa == wz || lookup(t, m, "daemon-"+wa) == lookup(t, m, "daemon-"+wz) {
		t.Error("one entry for two agents")
	}
	if childrenOf(t, a.cmd.Process.Pid) == "" {
		t.Error("no child read the keychain: what finds nothing in file mode finds nothing here either")
	}
}

func TestWithoutABusTheSessionGoesToTheFileAtOnce(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	m := newMachine(t).with("AGENTKEYS_SESSION_STORE", "auto", "AGENTKEYS_KEYCHAIN_TIMEOUT", "1m")
	r := m.pair(b.url)
	o.must("approve", r.code, "--scope", "all", "--yes")
	began := time.Now()
	if e := r.paired(); e.StorageBackend != "file" {
		t.Errorf("%+v", e)
	}
	if took := time.Since(began); took > 20*time.Second { // a poll of the broker, not a keychain's deadline
		t.Errorf("after the approval: %s", took)
	}
}

func TestALockedKeyringDaemonStaysUpAndGoesOnAfterUnlock(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	m, ring := desktop(t, keyringtest.Unlocked)
	w := o.adopt(m, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	if where := text(t, headFile(t, m.slot(w))["where"]); where != "keychain" {
		t.Fatalf("where=%s", where)
	}
	ring.Lock()
	d := m.daemon(w)
	d.reaches("waiting_for_keychain")
	d.condition("keychain_locked")
	if _, code := d.value("openrouter"); code != 503 {
		t.Errorf("locked: HTTP %d", code)
	}
	if r := m.run("", "agentkeys", "read", "openrouter", "--wallet", w); r.code == exitOK || r.code == exitNoSession {
		t.Errorf("read while locked: exit %d, %s", r.code, r.stderr)
	}
	if !d.running() {
		t.Fatalf("the daemon ended: %s", d.err)
	}
	if head := headFile(t, m.slot(w)); text(t, head["where"]) != "keychain" || head["payload"] != nil {
		t.Error("waiting made another session, in the file")
	}
	ring.Unlock()
	if took := d.serves("openrouter", keyOpenRouter); took > 15*time.Second { // a look every 20 s comes later
		t.Errorf("%s after the unlock", took)
	}
	d.reaches("online")
	// Locked while it runs: it serves from memory.
	ring.Lock()
	if got, _ := d.value("openrouter"); got != keyOpenRouter {
		t.Error("a lock took the credential out of a running daemon")
	}
}

func TestALockedKeyringIsNeverTakenForNoSession(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	m, ring := desktop(t, keyringtest.Unlocked)
	o := initOwner(m, b)
	ring.Lock()
	r := o.do("whoami", "--json")
	if r.code == exitOK || r.code == exitNoSession || !strings.Contains(r.stderr, "locked") {
		t.Errorf("whoami: exit %d, %s", r.code, r.stderr)
	}
	r = o.do("init")
	if r.code == exitOK || recoveryKey.MatchString(r.stdout+r.stderr) {
		t.Errorf("init made another owner: exit %d, %s", r.code, r.stdout)
	}
	ring.Unlock()
	if who := o.whoami(); who.Wallet != o.wallet {
		t.Errorf("%+v", who)
	}
}
