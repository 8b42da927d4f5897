package owner

import (
	"context"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
)

// Usage reads the audit trail, oldest first. The whole chain is computed again, from
// the first row to the head, before anything is filtered: a trail that does not fit
// together, or in which the row that this machine saw last is not the same any more,
// is ErrRewritten. Names of agents are the broker's word.
func (o *Owner) Usage(ctx context.Context, q protocol.AuditQuery) ([]protocol.AuditRow, error) {
	chain := chainCheck{seen: o.known.Audit}
	rows := []protocol.AuditRow{}
	for cursor := uint64(0); ; {
		var page protocol.Audit
		err := o.call(ctx, func(token secret.String) (err error) {
			page, err = o.broker.Audit(ctx, token, protocol.AuditQuery{Cursor: cursor})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read audit: %w", err)
		}
		if err := chain.add(page.Rows); err != nil {
			return nil, err
		}
		for _, row := range page.Rows {
			if matches(row, q) {
				rows = append(rows, row)
			}
		}
		if page.Next == 0 || len(page.Rows) == 0 {
			break
		}
		cursor = page.Next
	}
	if chain.last.Number < chain.seen.Number {
		return nil, fmt.Errorf("row %d is gone: %w", chain.seen.Number, ErrRewritten)
	}
	return rows, o.update(func(k *known) { k.Audit = chain.last })
}

func matches(row protocol.AuditRow, q protocol.AuditQuery) bool {
	return (q.Agent.IsZero() || row.Agent == q.Agent) &&
		(q.Service == "" || row.Service == q.Service) &&
		(q.Action == "" || row.Action == q.Action) && row.Time >= q.Since
}

// chainCheck holds rows against each other and against the head seen before.
type chainCheck struct {
	seen, last protocol.AuditHead
}

func (c *chainCheck) add(rows []protocol.AuditRow) error {
	for _, row := range rows {
		if row.Number != c.last.Number+1 || row.SHA256 != protocol.ChainRow(c.last.SHA256, row) {
			return fmt.Errorf("row %d does not follow row %d: %w", row.Number, c.last.Number, ErrRewritten)
		}
		if row.Number == c.seen.Number && row.SHA256 != c.seen.SHA256 {
			return fmt.Errorf("row %d is another one than before: %w", row.Number, ErrRewritten)
		}
		c.last = protocol.AuditHead{Number: row.Number, SHA256: row.SHA256}
	}
	return nil
}
