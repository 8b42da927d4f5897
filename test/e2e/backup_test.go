package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// operator runs a command of the broker's program, whether or not a broker runs.
func (b *broker) operator(args ...string) result {
	b.t.Helper()
	return b.m.run("", "agentkeys-broker", args...)
}

// copySlot gives thief the slot of wallet as it is now.
func copySlot(t testing.TB, from, thief *machine, wallet string) {
	t.Helper()
	if err := os.MkdirAll(thief.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(thief.slot(wallet), os.DirFS(from.slot(wallet))); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(thief.slot(wallet), func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if e.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A backup is made while the broker serves. Then one agent is revoked and a new one added, and
// the backup is restored. The test checks what each party sees.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	b, _, _ := selfSignedBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	stays, revoked := o.adopt(pi, "stays", "openrouter"), o.adopt(pi, "revoked", "openrouter")
	o.put("stays", "openrouter", keyOpenRouter)
	o.put("revoked", "openrouter", keyOpenRouter)
	d, r := pi.daemon(stays), pi.daemon(revoked)
	d.serves("openrouter", keyOpenRouter)
	r.serves("openrouter", keyOpenRouter)
	r.stop()
	thief := newMachine(t)
	copySlot(t, pi, thief, revoked)

	file := filepath.Join(b.m.dir, "backup")
	if got := b.operator("backup", file, "--data", b.data); got.code != exitOK {
		t.Fatalf("backup: exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	if got := b.operator("restore", file, "--data", b.data); got.code != exitFault || !strings.Contains(got.stderr, "another agentkeys-broker runs") {
		t.Fatalf("restore under a broker that serves: exit %d, %s", got.code, got.stderr)
	}
	o.must("revoke", "revoked", "--yes")
	added := o.adopt(pi, "added", "openrouter")
	o.put("added", "openrouter", keyOpenRouter)
	n := pi.daemon(added)
	n.serves("openrouter", keyOpenRouter)
	o.put("stays", "anthropic", keyAnthropic) // lost with the rest
	o.must("usage")                           // this machine knows the trail's head

	b.stop()
	if got := b.operator("restore", file, "--data", b.data); got.code != exitFault || !strings.Contains(got.stderr, "--replace") {
		t.Fatalf("over a newer database: exit %d, %s", got.code, got.stderr)
	}
	if got := b.operator("restore", file, "--replace", "--data", b.data); got.code != exitOK || !strings.Contains(got.stdout, "broker.db.replaced-1") {
		t.Fatalf("restore: exit %d, %s%s", got.code, got.stdout, got.stderr)
	}
	b.start()
	s := thief.launch(revoked)
	s.answers()
	for name, x := range map[string]*daemon{"stays": d, "added": n, "revoked": s} {
		eventually(t, patience, name+" waits", func() (string, bool) {
			st := x.status()
			return fmt.Sprintf("%+v\n%s", st, x.err), st.State == "offline"
		})
	}
	d.serves("openrouter", keyOpenRouter)
	n.serves("openrouter", keyOpenRouter)

	got := o.must("agents", "--json")
	for _, says := range []string{
		"put back from a copy", "not known to the broker any more: agentkeys-daemon pair",
		"revoked again", "anthropic of ", "agentkeys store anthropic --agent " + stays,
	} {
		if !strings.Contains(got.stderr, says) {
			t.Errorf("agents does not say %q: %s", says, got.stderr)
		}
	}
	if got := o.must("agents"); got.stderr != "" {
		t.Errorf("told twice: %s", got.stderr)
	}
	for _, x := range []*daemon{d, n, s} {
		x.stop() // waits for its turn else
	}
	pi.daemon(stays).reaches("online")
	s = thief.launch(revoked)
	s.answers()
	s.reaches("revoked")
	s.denies("openrouter")
	n = pi.daemon(added)
	n.serves("openrouter", keyOpenRouter) // from its cache: the broker does not know it, and its owner did not end it
	if n.status().Sync.Online {
		t.Error("the broker knows an agent that is not in the backup")
	}
	if r := o.do("usage", "--json"); errorCode(t, r) != "audit_rewritten" {
		t.Errorf("usage: exit %d, %s", r.code, r.stderr)
	}
	o.must("usage", "--accept")
}

// On another machine the backup alone is the broker: its accounts and its key.
func TestABrokerThatMoves(t *testing.T) {
	t.Parallel()
	b, _, pin := selfSignedBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	file := filepath.Join(b.m.dir, "backup")
	if got := b.operator("backup", file, "--data", b.data); got.code != exitOK {
		t.Fatalf("backup: exit %d, %s", got.code, got.stderr)
	}
	b.stop()
	b.data = filepath.Join(b.m.dir, "elsewhere")
	if got := b.operator("restore", file, "--data", b.data); got.code != exitOK {
		t.Fatalf("restore: exit %d, %s", got.code, got.stderr)
	}
	b.start()
	if !strings.HasSuffix(b.url, "#"+pin) {
		t.Fatalf("another key: %s", b.url)
	}
	o.must("agents")
	d := pi.daemon(w)
	d.reaches("online")
	d.serves("openrouter", keyOpenRouter)
}

// A database that was copied back by hand is noticed by the mark in its directory.
func TestADatabaseThatWasCopiedBackByHand(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	d.stop()
	thief := newMachine(t)
	copySlot(t, pi, thief, w)
	b.stop()
	old := contents(t, filepath.Join(b.data, "broker.db"))
	b.start()
	o.must("revoke", "bot", "--yes")
	b.stop()
	replace(t, filepath.Join(b.data, "broker.db"), old)
	b.start()
	eventually(t, patience, "the broker notices", func() (string, bool) {
		return b.err.String(), strings.Contains(b.err.String(), "put back from a copy")
	})
	s := thief.launch(w)
	s.answers()
	s.reaches("offline")
	if got := o.must("agents"); !strings.Contains(got.stderr, "revoked again") {
		t.Errorf("agents: %s", got.stderr)
	}
	s.stop()
	s = thief.launch(w)
	s.answers()
	s.reaches("revoked")

	// A start with the current database, also after a power cut, begins no epoch.
	b.kill()
	b.start()
	if strings.Contains(b.err.String(), "put back from a copy") {
		t.Errorf("called a copy: %s", b.err)
	}
	o.must("agents")
}
