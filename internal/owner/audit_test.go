package owner_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// used is what one `usage` showed.
type used struct {
	rows  []protocol.AuditRow
	parts int // in which the rows came
	older bool
	err   error
}

func (h *machine) tryUsage(q owner.UsageQuery) used {
	h.t.Helper()
	var u used
	u.older, u.err = h.open().Usage(h.t.Context(), q, func(rows []protocol.AuditRow) error {
		u.rows, u.parts = append(u.rows, rows...), u.parts+1
		if len(rows) > protocol.MaxAuditPage {
			h.t.Errorf("%d rows at once", len(rows))
		}
		return nil
	})
	return u
}

func (h *machine) usage(q owner.UsageQuery) []protocol.AuditRow {
	h.t.Helper()
	u := h.tryUsage(q)
	if u.err != nil {
		h.t.Fatal(u.err)
	}
	return u.rows
}

func (h *machine) auditFile() string { return filepath.Join(h.slots.Dir(h.cfg.ID), words.FileAudit) }

func TestARewrittenAuditTrailIsNamed(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.All())
	honest := h.usage(owner.UsageQuery{})
	if len(honest) < 3 {
		t.Fatalf("%d rows", len(honest))
	}
	l := h.withLiar()
	for name, lie := range map[string]func(protocol.Audit) protocol.Audit{
		"a row changed": func(a protocol.Audit) protocol.Audit {
			if len(a.Rows) > 0 {
				a.Rows[0].Action = "renewed"
			}
			return a
		},
		"a row left out": func(a protocol.Audit) protocol.Audit { a.Rows = a.Rows[1:]; return a },
		"the newest rows withheld": func(a protocol.Audit) protocol.Audit {
			a.Rows = slices.DeleteFunc(a.Rows, func(r protocol.AuditRow) bool { return r.Number > 1 })
			return a
		},
		"no rows": func(a protocol.Audit) protocol.Audit { a.Rows = nil; return a },
		"the newest rows gone": func(a protocol.Audit) protocol.Audit {
			a.Rows, a.Next = a.Rows[:1], 0
			a.Head = protocol.AuditHead{Number: 1, SHA256: a.Rows[0].SHA256}
			return a
		},
		"no trail": func(protocol.Audit) protocol.Audit { return protocol.Audit{} },
		"everything new": func(a protocol.Audit) protocol.Audit {
			last := ""
			for i := range a.Rows {
				a.Rows[i].Detail = "rewritten"
				a.Rows[i].SHA256 = protocol.ChainRow(last, a.Rows[i])
				last = a.Rows[i].SHA256
			}
			a.Head.SHA256 = last
			return a
		},
	} {
		l.audit = func(_ protocol.AuditQuery, a protocol.Audit) protocol.Audit { return lie(a) }
		for _, q := range []owner.UsageQuery{{}, {All: true}, {Since: 1}, {Service: "openrouter"}} {
			if u := h.tryUsage(q); !errors.Is(u.err, owner.ErrRewritten) {
				t.Errorf("%s, %+v: %v", name, q, u.err)
			}
		}
	}
	l.audit = nil
	if diff := cmp.Diff(honest, h.usage(owner.UsageQuery{}), wallets()); diff != "" {
		t.Fatal(diff)
	}
}

func wallets() cmp.Option { return cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b }) }

func TestUsageFilters(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, _ := h.pair("bot", scope.All())
	all := h.usage(owner.UsageQuery{})
	for name, q := range map[string]owner.UsageQuery{
		"agent": {Agent: m.Wallet}, "action": {Action: protocol.ActionPairingApproved}, "since": {Since: all[0].Time + 1<<20},
	} {
		got := h.usage(q)
		if len(got) >= len(all) || (name != "since" && len(got) == 0) {
			t.Errorf("%s: %d of %d rows", name, len(got), len(all))
		}
	}
}

// A head that an earlier version kept counts, and moves to its own file.
func TestTheHeadOfTheTrailIsInAFileOfItsOwn(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.usage(owner.UsageQuery{})
	kept := must(os.ReadFile(h.auditFile()))(t)
	if err := errors.Join(
		os.Remove(h.auditFile()),
		os.WriteFile(h.journalPath(), []byte(`{"version":1,"wallets":{},"audit":{"number":1,"sha256":"another"}}`), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	if u := h.tryUsage(owner.UsageQuery{}); !errors.Is(u.err, owner.ErrRewritten) {
		t.Errorf("the head of an earlier version is not held against the trail: %v", u.err)
	}
	h.usage(owner.UsageQuery{Accept: true})
	if got := must(os.ReadFile(h.auditFile()))(t); string(got) != string(kept) {
		t.Errorf("%s, want %s", got, kept)
	}
	if got := h.journal().Audit; got != nil {
		t.Errorf("it is in both files: %s", got)
	}
	h.usage(owner.UsageQuery{})
}

func TestAHeadThatCannotBeReadIsNotForgotten(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.usage(owner.UsageQuery{})
	for name, text := range map[string]string{
		"empty": "", "no JSON": "x", "a newer version": `{"version":2,"owner":"` + h.open().Wallet().String() + `","head":{"number":1,"sha256":"x"}}`,
	} {
		if err := os.WriteFile(h.auditFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if u := h.tryUsage(owner.UsageQuery{}); !errors.Is(u.err, owner.ErrAuditFile) {
			t.Errorf("%s: %v", name, u.err)
		}
	}
	h.usage(owner.UsageQuery{Accept: true})
	h.usage(owner.UsageQuery{})
}

// The slot of an account that was wiped may hold a new one, whose trail begins anew.
func TestTheHeadOfAnotherAccountDoesNotCount(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.All())
	h.usage(owner.UsageQuery{})
	if err := h.open().End(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	h.init()
	h.usage(owner.UsageQuery{})
	h.usage(owner.UsageQuery{})
}
