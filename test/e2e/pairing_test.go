package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to make a pair code old
)

func TestPairCodes(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	noAgents := func(t *testing.T, before int) {
		t.Helper()
		var agents []map[string]any
		if o.decode(&agents, "agents", "--json"); len(agents) != before {
			t.Errorf("%d agents, want %d", len(agents), before)
		}
	}
	t.Run("wrong lookup part", func(t *testing.T) {
		r := o.do("approve", "000-0000-00000", "--scope", "all", "--yes", "--json")
		if r.code != exitFault || errorCode(t, r) != "not_found" {
			t.Errorf("exit %d, %s", r.code, r.stderr)
		}
		noAgents(t, 0)
	})
	t.Run("wrong secret part, then the right one, then used twice", func(t *testing.T) {
		m := newMachine(t)
		p := m.pair(b.url)
		last := "0"
		if strings.HasSuffix(p.code, last) {
			last = "1"
		}
		wrong := p.code[:len(p.code)-1] + last
		r := o.do("approve", wrong, "--scope", "all", "--yes", "--json")
		if r.code == exitOK || errorCode(t, r) != "pairing_forged" || !strings.Contains(r.stderr, "code") {
			t.Errorf("wrong: exit %d, %s", r.code, r.stderr)
		}
		if !p.running() {
			t.Fatalf("the request ended: %s%s", p.out, p.err)
		}
		noAgents(t, 0)
		o.must("approve", strings.ToLower(strings.ReplaceAll(p.code, "-", " ")), "--scope", "none", "--yes")
		w := p.paired().Wallet
		r = o.do("approve", p.code, "--scope", "all", "--yes", "--json")
		if r.code == exitOK {
			t.Errorf("used twice: %s", r.stdout)
		}
		if code := errorCode(t, r); code != "already_consumed" && code != "not_found" {
			t.Errorf("used twice: %s", code)
		}
		noAgents(t, 1)
		if w == "" {
			t.Error("no wallet")
		}
	})
	t.Run("denied", func(t *testing.T) {
		m := newMachine(t)
		p := m.pair(b.url)
		o.must("deny", p.code)
		if r := p.failed("pairing_denied"); r.code != exitDenied {
			t.Errorf("exit %d, %s", r.code, r.stderr)
		}
		noSlots(t, m)
		noAgents(t, 1)
	})
	t.Run("expired", func(t *testing.T) {
		m := newMachine(t)
		p := m.pair(b.url)
		b.stop()
		db, err := sql.Open("sqlite", filepath.Join(b.data, "broker.db"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("UPDATE pairings SET expires_at = 1 WHERE state = 'open'"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		b.start()
		r := o.do("approve", p.code, "--scope", "all", "--yes", "--json")
		if code := errorCode(t, r); r.code != exitFault || code != "pairing_expired" && code != "not_found" {
			t.Errorf("approve: exit %d, %s", r.code, r.stderr)
		}
		p.failed("pairing_expired")
		noSlots(t, m)
		noAgents(t, 1)
	})
	t.Run("no pair code", func(t *testing.T) {
		for _, code := range []string{"", "K7QF", "K7QF-2M9X-RT4U", "K7QF-2M9X-RT4B-K7QF"} {
			if r := o.do("approve", code, "--scope", "all", "--yes"); r.code != exitUsage {
				t.Errorf("%q: exit %d, %s", code, r.code, r.stderr)
			}
		}
		if r := o.do("approve", "K7QF-2M9X-RT4B", "--yes"); r.code != exitUsage {
			t.Errorf("--yes without --scope: exit %d, %s", r.code, r.stderr)
		}
	})
}

// noSlots fails if a wallet's slot is left.
func noSlots(t *testing.T, m *machine) {
	t.Helper()
	entries, err := os.ReadDir(m.home)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "daemon-") || strings.HasPrefix(e.Name(), "pending-") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestThe21stWrongLookupInAMinuteMustWait(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	for i := 1; i <= 21; i++ {
		r := o.do("approve", "000-0000-00000", "--scope", "all", "--yes", "--json")
		want := "not_found"
		if i == 21 {
			want = "slow_down"
		}
		if code := errorCode(t, r); code != want || r.code != exitFault {
			t.Fatalf("wrong lookup %d: exit %d, %s", i, r.code, r.stderr)
		}
	}
	p := newMachine(t).pair(b.url)
	if r := o.do("approve", p.code, "--scope", "all", "--yes", "--json"); errorCode(t, r) != "slow_down" {
		t.Errorf("a right one in the same minute: exit %d, %s", r.code, r.stderr)
	}
}
