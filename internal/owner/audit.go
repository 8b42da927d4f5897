package owner

import (
	"context"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// Usage reads the audit trail, oldest first. The whole chain is computed again, from
// the first row to the head, before anything is filtered: a trail that does not fit
// together, that ends before its own head, or in which the row that this machine saw
// last is not there any more, is ErrRewritten, beside the rows that came. It stays so
// until accept, by which a person who restored the broker takes the trail as it is.
func (o *Owner) Usage(ctx context.Context, q protocol.AuditQuery, accept bool) ([]protocol.AuditRow, error) {
	chain := chainCheck{seen: o.known.Audit}
	if accept {
		chain.seen = protocol.AuditHead{}
	}
	rows := []protocol.AuditRow{}
	for cursor, more := uint64(0), true; more; {
		page, err := o.auditPage(ctx, cursor)
		if err != nil {
			return nil, err
		}
		chain.add(page.Rows)
		for _, row := range page.Rows {
			if matches(row, q) {
				rows = append(rows, row)
			}
		}
		more = page.Next > cursor && len(page.Rows) > 0
		cursor = page.Next
		if !more {
			chain.end(page.Head)
		}
	}
	if chain.err != nil {
		return rows, chain.err
	}
	return rows, o.update(func(k *known) { k.Audit = chain.last })
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

// chainCheck holds rows against each other and against the head seen before; err is
// the first thing that did not fit.
type chainCheck struct {
	seen, last protocol.AuditHead
	err        error
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
		c.last = protocol.AuditHead{Number: row.Number, SHA256: row.SHA256}
	}
}

func (c *chainCheck) end(head protocol.AuditHead) {
	if c.last != head {
		c.fail("the rows end before row %d", head.Number)
	}
	if c.last.Number < c.seen.Number {
		c.fail("row %d is gone", c.seen.Number)
	}
}
