package owner

import (
	"context"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// What one command reads and keeps of an audit trail at most. A broker computes the
// chain itself, so that the chain alone ends no walk.
const (
	maxAuditPages = 100_000  // 20 million rows of an honest broker
	maxAuditHeld  = 64 << 20 // bytes of the rows that match
)

// Usage reads the audit trail, oldest first. The whole chain is computed again, from
// the first row to the head that the first page names, before anything is filtered: a
// trail that does not fit together, that ends before that head, or in which the row
// that this machine saw last is not there any more, is ErrRewritten, beside the rows up
// to there. It stays so until accept, by which a person who restored the broker takes
// the trail as it is. ErrTooLong: more rows match than are kept, or there is no end.
func (o *Owner) Usage(ctx context.Context, q protocol.AuditQuery, accept bool) ([]protocol.AuditRow, error) {
	walk := auditWalk{query: q, chain: chainCheck{seen: o.known.Audit}, rows: []protocol.AuditRow{}}
	if accept {
		walk.chain.seen = protocol.AuditHead{}
	}
	for range maxAuditPages {
		page, err := o.auditPage(ctx, walk.cursor)
		if err != nil {
			return nil, err
		}
		more, err := walk.take(page)
		if err != nil {
			return walk.rows, err
		}
		if !more {
			return walk.rows, o.note(func(k *known) { k.Audit = walk.chain.last })
		}
	}
	return nil, fmt.Errorf("more than %d pages: %w", maxAuditPages, ErrTooLong)
}

// auditWalk goes through the pages of a trail.
type auditWalk struct {
	query  protocol.AuditQuery
	chain  chainCheck
	cursor uint64
	rows   []protocol.AuditRow // that match
	held   int                 // bytes of rows
}

// take checks the next page and keeps what matches; more is false at the end.
func (w *auditWalk) take(page protocol.Audit) (more bool, err error) {
	if w.cursor == 0 {
		w.chain.head = page.Head
	}
	w.chain.add(page.Rows)
	if w.chain.last.Number > page.Head.Number {
		w.chain.fail("row %d stands after the last row %d", w.chain.last.Number, page.Head.Number)
	}
	for _, row := range page.Rows {
		if !matches(row, w.query) {
			continue
		}
		w.held += rowSize(row)
		if w.held > maxAuditHeld {
			return false, fmt.Errorf("more than %d MiB of rows match: %w", maxAuditHeld>>20, ErrTooLong)
		}
		w.rows = append(w.rows, row)
	}
	more = page.Next > w.cursor && len(page.Rows) > 0 && w.chain.last.Number < w.chain.head.Number
	if w.cursor = page.Next; !more {
		w.chain.end()
	}
	return more, w.chain.err
}

// rowSize is what a row takes in memory, roughly.
func rowSize(r protocol.AuditRow) int {
	return 200 + len(r.Service) + len(r.Action) + len(r.Result) + len(r.Where) + len(r.Detail) + len(r.SHA256)
}

func (o *Owner) auditPage(ctx context.Context, cursor uint64) (protocol.Audit, error) {
	var page protocol.Audit
	err := o.call(ctx, func(token secret.String) (err error) {
		page, err = o.broker.Audit(ctx, token, protocol.AuditQuery{Cursor: cursor})
		return err
	})
	if err != nil {
		return page, fmt.Errorf("read audit: %w", err)
	}
	return page, nil
}

func matches(row protocol.AuditRow, q protocol.AuditQuery) bool {
	return (q.Agent.IsZero() || row.Agent == q.Agent) &&
		(q.Service == "" || row.Service == q.Service) &&
		(q.Action == "" || row.Action == q.Action) && row.Time >= q.Since
}

// chainCheck holds rows against each other, against the head seen before and against
// the head that this trail named at its beginning; err is the first thing that did not
// fit. Rows after that head were written meanwhile.
type chainCheck struct {
	seen, head, last protocol.AuditHead
	err              error
}

func (c *chainCheck) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrRewritten)
	}
}

func (c *chainCheck) add(rows []protocol.AuditRow) {
	for _, row := range rows {
		if row.Number != c.last.Number+1 || row.SHA256 != protocol.ChainRow(c.last.SHA256, row) {
			c.fail("row %d does not follow row %d", row.Number, c.last.Number)
		}
		if row.Number == c.seen.Number && row.SHA256 != c.seen.SHA256 {
			c.fail("row %d is another one than before", row.Number)
		}
		if row.Number == c.head.Number && row.SHA256 != c.head.SHA256 {
			c.fail("row %d is not the one that was named as the last", row.Number)
		}
		c.last = protocol.AuditHead{Number: row.Number, SHA256: row.SHA256}
	}
}

func (c *chainCheck) end() {
	if c.last.Number < c.head.Number {
		c.fail("the rows end before row %d", c.head.Number)
	}
	if c.last.Number < c.seen.Number {
		c.fail("row %d is gone", c.seen.Number)
	}
}
