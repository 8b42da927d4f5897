package owner_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestARewrittenAuditTrailIsNamed(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	h.pair("bot", scope.All())
	honest := must(h.open().Usage(ctx, protocol.AuditQuery{}, false))(t)
	if len(honest) < 3 {
		t.Fatalf("%d rows", len(honest))
	}
	l := h.lies()
	for name, lie := range map[string]func(protocol.Audit) protocol.Audit{
		"a row changed": func(a protocol.Audit) protocol.Audit {
			if len(a.Rows) > 0 {
				a.Rows[0].Action = "renewed"
			}
			return a
		},
		"a row left out": func(a protocol.Audit) protocol.Audit { a.Rows = a.Rows[1:]; return a },
		"the newest rows withheld": func(a protocol.Audit) protocol.Audit {
			a.Rows, a.Next = a.Rows[:1], 0
			return a
		},
		"the newest rows gone": func(a protocol.Audit) protocol.Audit {
			a.Rows, a.Next = a.Rows[:1], 0
			a.Head = protocol.AuditHead{Number: 1, SHA256: a.Rows[0].SHA256}
			return a
		},
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
		l.audit = lie
		if _, err := h.open().Usage(ctx, protocol.AuditQuery{}, false); !errors.Is(err, owner.ErrRewritten) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.audit = nil
	again := must(h.open().Usage(ctx, protocol.AuditQuery{}, false))(t)
	if diff := cmp.Diff(honest, again, cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b })); diff != "" {
		t.Fatal(diff)
	}
}

// endless is a broker whose trail fits together and never ends.
type endless struct {
	pages  int
	detail string
	last   protocol.AuditHead
}

func (e *endless) page(protocol.Audit) protocol.Audit {
	e.pages++
	out := protocol.Audit{}
	for range 200 {
		row := protocol.AuditRow{Number: e.last.Number + 1, Time: 1, Action: protocol.ActionRenewed, Result: "ok", Where: "broker", Detail: e.detail}
		row.SHA256 = protocol.ChainRow(e.last.SHA256, row)
		e.last = protocol.AuditHead{Number: row.Number, SHA256: row.SHA256}
		out.Rows = append(out.Rows, row)
	}
	out.Next, out.Head = e.last.Number, protocol.AuditHead{Number: 1 << 60}
	return out
}

func TestATrailThatNeverEndsIsLeft(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	l := h.lies()
	t.Run("rows that do not fit together", func(t *testing.T) {
		pages := 0
		l.audit = func(protocol.Audit) protocol.Audit {
			if pages++; pages > 10 {
				t.Error("the walk goes on after the first fault")
				return protocol.Audit{}
			}
			return protocol.Audit{Rows: make([]protocol.AuditRow, 200), Next: uint64(pages), Head: protocol.AuditHead{Number: 1 << 60}}
		}
		if _, err := h.open().Usage(t.Context(), protocol.AuditQuery{}, false); !errors.Is(err, owner.ErrRewritten) {
			t.Error(err)
		}
	})
	t.Run("more than is kept", func(t *testing.T) {
		e := endless{detail: strings.Repeat("z", 64<<10)}
		l.audit = func(a protocol.Audit) protocol.Audit {
			if e.pages == 50 { // 640 MB
				t.Error("the walk goes on")
				return protocol.Audit{}
			}
			return e.page(a)
		}
		if rows, err := h.open().Usage(t.Context(), protocol.AuditQuery{}, false); !errors.Is(err, owner.ErrTooLong) {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
	t.Run("rows written meanwhile are not run after", func(t *testing.T) {
		e := endless{}
		l.audit = func(a protocol.Audit) protocol.Audit {
			if e.pages == 10 {
				t.Error("the walk goes on")
				return protocol.Audit{}
			}
			out := e.page(a)
			out.Head.Number = e.last.Number + 1 // always one more
			return out
		}
		rows, err := h.open().Usage(t.Context(), protocol.AuditQuery{}, true)
		if !errors.Is(err, owner.ErrRewritten) || len(rows) > 400 { // its first head was a lie
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}

func TestUsageFilters(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	m, _ := h.pair("bot", scope.All())
	all := must(h.open().Usage(ctx, protocol.AuditQuery{}, false))(t)
	for name, q := range map[string]protocol.AuditQuery{
		"agent": {Agent: m.Wallet}, "action": {Action: protocol.ActionPairingApproved}, "since": {Since: all[0].Time + 1<<20},
	} {
		got := must(h.open().Usage(ctx, q, false))(t)
		if len(got) >= len(all) || (name != "since" && len(got) == 0) {
			t.Errorf("%s: %d of %d rows", name, len(got), len(all))
		}
	}
}
