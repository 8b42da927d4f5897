package owner_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/test/needs"
)

// trail is what a broker answers from, honest or not. Row n has the time n.
type trail struct {
	rows   []protocol.AuditRow
	asked  int // requests
	handed int // rows
}

// grow adds rows of a service up to n of them.
func (tr *trail) grow(n int, service, detail string) {
	last := ""
	if len(tr.rows) > 0 {
		last = tr.rows[len(tr.rows)-1].SHA256
	}
	for i := len(tr.rows) + 1; i <= n; i++ {
		row := protocol.AuditRow{
			Number: uint64(i), Time: int64(i), Service: service, Action: protocol.ActionAccessGranted, Result: "ok", Where: "broker", Detail: detail,
		}
		row.SHA256 = protocol.ChainRow(last, row)
		last = row.SHA256
		tr.rows = append(tr.rows, row)
	}
}

// forked has the first n rows of tr, and others behind them.
func (tr *trail) forked(n int, service string) *trail {
	out := &trail{rows: append([]protocol.AuditRow{}, tr.rows[:n]...)}
	out.grow(len(tr.rows), service, "")
	return out
}

func (tr *trail) answer(q protocol.AuditQuery, _ protocol.Audit) protocol.Audit {
	tr.asked++
	rows := tr.rows[min(int(q.Cursor), len(tr.rows)):]
	if skip := int(q.Since) - 1 - int(q.Cursor); skip > 0 {
		rows = rows[min(skip, len(rows)):]
	}
	if n := min(q.Limit, len(rows)); q.FromEnd {
		rows = rows[len(rows)-n:]
	} else {
		rows = rows[:n]
	}
	tr.handed += len(rows)
	last := tr.rows[len(tr.rows)-1]
	return protocol.Audit{Rows: append([]protocol.AuditRow{}, rows...), Head: protocol.AuditHead{Number: last.Number, SHA256: last.SHA256}}
}

// withTrail is a machine whose broker has a trail of n rows of service x.
func withTrail(t *testing.T, n int) (*machine, *trail, *liar) {
	t.Helper()
	h, tr := initialised(t), &trail{}
	tr.grow(n, "x", "")
	l := h.withLiar()
	l.audit = tr.answer
	return h, tr, l
}

func TestUsageShowsTheNewestRows(t *testing.T) {
	t.Parallel()
	h, tr, _ := withTrail(t, 1)
	for n, first := range map[int]uint64{1: 1, 199: 1, 200: 1, 201: 2, 202: 3, 1500: 1301} {
		*tr = trail{}
		tr.grow(n, "x", "")
		for _, accept := range []bool{true, false} { // without a head that was seen, and with it
			u := h.tryUsage(owner.UsageQuery{Accept: accept})
			if u.err != nil || len(u.rows) != min(n, 200) || u.rows[0].Number != first || u.older != (n > 200) {
				t.Errorf("%d rows: %d from %d, older ones %v, %v", n, len(u.rows), u.rows[0].Number, u.older, u.err)
			}
		}
	}
}

func TestUsageFiltersTheNewestTenThousandRows(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	h, tr, _ := withTrail(t, 1)
	for n, found := range map[int]int{9_999: 1, 10_000: 1, 10_001: 0} {
		*tr = trail{}
		tr.grow(1, "y", "")
		tr.grow(n, "x", "")
		h.usage(owner.UsageQuery{Accept: true})
		if u := h.tryUsage(owner.UsageQuery{Service: "y"}); u.err != nil || len(u.rows) != found || u.older != (found == 0) {
			t.Errorf("%d rows: %d found, older ones %v, %v", n, len(u.rows), u.older, u.err)
		}
		if u := h.tryUsage(owner.UsageQuery{Service: "x"}); u.err != nil || len(u.rows) != 200 || !u.older || u.rows[199].Number != uint64(n) {
			t.Errorf("%d rows: %d shown, older ones %v, %v", n, len(u.rows), u.older, u.err)
		}
	}
}

func TestUsageOfAllOrSinceATimeComesInParts(t *testing.T) {
	t.Parallel()
	h, tr, _ := withTrail(t, 1)
	for n, parts := range map[int]int{999: 1, 1000: 1, 1001: 2, 2001: 3} {
		*tr = trail{}
		tr.grow(n, "x", "")
		h.usage(owner.UsageQuery{Accept: true})
		if u := h.tryUsage(owner.UsageQuery{All: true}); u.err != nil || len(u.rows) != n || u.parts != parts || u.older {
			t.Errorf("%d rows: %d in %d parts, %v", n, len(u.rows), u.parts, u.err)
		}
		for _, since := range []int{1, 2, 3, n - 200, n, n + 1} {
			u := h.tryUsage(owner.UsageQuery{Since: int64(since)})
			if want := n + 1 - since; u.err != nil || len(u.rows) != want || u.older || want > 0 && u.rows[0].Time != int64(since) {
				t.Errorf("%d rows since %d: %d, %v", n, since, len(u.rows), u.err)
			}
		}
	}
}

// An owner with years of rows is not locked out, and pays for what is new and shown alone.
func TestUsageCostsTheSameHoweverLongTheTrailIs(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	h, tr, _ := withTrail(t, 1)
	for _, q := range []owner.UsageQuery{{}, {Service: "x"}, {Since: 1 << 40}} {
		costs := map[string]bool{}
		for _, n := range []int{11_000, 20_000} {
			*tr = trail{}
			tr.grow(n, "x", "")
			h.usage(owner.UsageQuery{Accept: true})
			tr.grow(n+500, "x", "")
			tr.asked, tr.handed = 0, 0
			h.usage(q)
			costs[fmt.Sprintf("%d requests, %d rows", tr.asked, tr.handed)] = true
		}
		if len(costs) != 1 {
			t.Errorf("%+v: %v", q, costs)
		}
	}
}

func TestATrailOfManyMegabytesIsShown(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	h, tr, _ := withTrail(t, 1)
	tr.grow(1030, "x", strings.Repeat("z", 64<<10)) // over 64 MiB
	h.withLiar().audit = func(q protocol.AuditQuery, a protocol.Audit) protocol.Audit {
		q.Limit = min(q.Limit, 100) // an answer of 16 MiB holds no more
		return tr.answer(q, a)
	}
	if u := h.tryUsage(owner.UsageQuery{All: true}); u.err != nil || len(u.rows) != 1030 {
		t.Errorf("%d rows, %v", len(u.rows), u.err)
	}
}

// What the head that was seen stands for cannot be changed, whatever is looked at.
func TestABrokerThatShowsAnotherTrailThanBeforeIsNamed(t *testing.T) {
	t.Parallel()
	const seen, now = 3000, 3500
	h, honest, l := withTrail(t, seen)
	h.usage(owner.UsageQuery{})
	kept := must(os.ReadFile(h.auditFile()))(t)
	honest.grow(now, "x", "")
	for name, lie := range map[string]*trail{
		"another row that was seen":        honest.forked(seen-1, "y"),
		"other rows since long before":     honest.forked(10, "y"),
		"another last row, and none since": {rows: honest.forked(seen-1, "y").rows[:seen]},
		"fewer rows than were seen":        {rows: honest.rows[:seen-1]},
	} {
		l.audit = lie.answer
		for _, q := range []owner.UsageQuery{{}, {All: true}, {Since: 5}, {Since: now - 1}, {Service: "y"}} {
			if u := h.tryUsage(q); !errors.Is(u.err, owner.ErrRewritten) {
				t.Errorf("%s, %+v: %v", name, q, u.err)
			}
		}
		if got := must(os.ReadFile(h.auditFile()))(t); string(got) != string(kept) {
			t.Errorf("%s: it counts as seen from now on: %s", name, got)
		}
	}
	l.audit = honest.answer
	h.usage(owner.UsageQuery{})
}

// Which row is the first since a time is the broker's word, and is held against the rows.
func TestABrokerThatLeavesOutTheFirstRowsSinceATimeIsNamed(t *testing.T) {
	t.Parallel()
	h, honest, l := withTrail(t, 500)
	h.usage(owner.UsageQuery{})
	for name, change := range map[string]func(protocol.AuditQuery, protocol.Audit) protocol.Audit{
		"one row": func(q protocol.AuditQuery, _ protocol.Audit) protocol.Audit {
			if q.Since > 0 {
				q.Since++
			}
			return honest.answer(q, protocol.Audit{})
		},
		"all rows": func(q protocol.AuditQuery, _ protocol.Audit) protocol.Audit {
			if q.Since > 0 {
				q.Since = 1000
			}
			return honest.answer(q, protocol.Audit{})
		},
		"all rows, with a false time of the last": func(q protocol.AuditQuery, _ protocol.Audit) protocol.Audit {
			if q.Since > 0 {
				q.Since = 1000
			}
			a := honest.answer(q, protocol.Audit{})
			if n := len(a.Rows); n > 0 {
				a.Rows[n-1].Time = 1
			}
			return a
		},
	} {
		l.audit = change
		for _, since := range []int64{1, 300, 500} {
			if u := h.tryUsage(owner.UsageQuery{Since: since}); !errors.Is(u.err, owner.ErrRewritten) {
				t.Errorf("%s since %d: %v", name, since, u.err)
			}
		}
	}
}

func TestAWalkEndsAtTheFirstFaultAndAtItsFirstHead(t *testing.T) {
	t.Parallel()
	h, tr, l := withTrail(t, 5000)
	l.audit = func(q protocol.AuditQuery, a protocol.Audit) protocol.Audit {
		if a = tr.answer(q, a); !q.FromEnd && q.Cursor >= 2000 {
			a.Rows[5].Detail = "another"
		}
		return a
	}
	if u := h.tryUsage(owner.UsageQuery{All: true}); !errors.Is(u.err, owner.ErrRewritten) || len(u.rows) > 3000 || tr.asked > 4 {
		t.Errorf("%d rows, %d requests, %v", len(u.rows), tr.asked, u.err)
	}
	l.audit = func(q protocol.AuditQuery, a protocol.Audit) protocol.Audit {
		tr.grow(len(tr.rows)+1000, "x", "") // always more
		return tr.answer(q, a)
	}
	tr.asked = 0
	if u := h.tryUsage(owner.UsageQuery{All: true}); u.err != nil || len(u.rows) != 6000 || tr.asked > 7 {
		t.Errorf("%d rows, %d requests, %v", len(u.rows), tr.asked, u.err)
	}
}
