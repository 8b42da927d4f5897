package owner_test

import (
	"context"
	"errors"
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
