package owner

import (
	"context"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// How many rows are read from the end of a trail, however long the trail is.
const (
	shownRows  = 200    // the newest rows that match
	lookedRows = 10_000 // the newest rows that are searched for matches, if there is a filter
)

// UsageQuery says which rows of the audit trail are wanted. Zero fields do not filter.
type UsageQuery struct {
	Agent   wallet.Wallet
	Service string
	Action  string
	Since   int64 // Unix seconds, inclusive

	All    bool // the whole trail, verified from its first row
	Accept bool // accept the trail as it is now, after a person restored the broker
}

// Usage passes the rows that match to show, oldest first, in one or several parts, and reports
// whether older ones were left out: without All and Since it shows the newest.
//
// The chain is computed from the row that this machine saw last, so the cost grows with the new
// rows and with what is shown, and only one page is in memory at a time. Shown rows from before
// that row are verified too, since the chain leads from them to it. The result is ErrRewritten
// if the rows do not form a chain, if the trail ends before the head that it names, or if it does
// not contain the row seen before. The rows up to that point have been shown then. It stays so
// until Accept.
func (o *Owner) Usage(ctx context.Context, q UsageQuery, show func([]protocol.AuditRow) error) (older bool, err error) {
	seen, err := o.readHead(q.Accept)
	if err != nil {
		return false, err
	}
	end, err := o.auditPage(ctx, protocol.AuditQuery{FromEnd: true, Limit: shownRows + 1})
	if err != nil {
		return false, err
	}
	w := &auditWalk{query: q, chain: chainCheck{seen: seen, head: end.Head}, show: show}
	if w.first, err = o.firstShown(ctx, q, end.Head); err != nil {
		return false, err
	}
	if err = w.begin(); err == nil {
		err = o.walk(ctx, w, end.Rows)
	}
	if err != nil && !errors.Is(err, ErrRewritten) {
		return false, err
	}
	if err := errors.Join(w.flush(), err); err != nil {
		return false, err
	}
	return w.left || !q.All && q.Since == 0 && w.first > 1, o.noteHead(end.Head, q.Accept)
}

// firstShown is the number of the first row that may be shown; above the head's if there is none.
func (o *Owner) firstShown(ctx context.Context, q UsageQuery, head protocol.AuditHead) (uint64, error) {
	window := uint64(shownRows)
	if q.filters() {
		window = lookedRows
	}
	switch {
	case q.All || head.Number <= window && q.Since == 0:
		return 1, nil
	case q.Since == 0:
		return head.Number - window + 1, nil
	}
	page, err := o.auditPage(ctx, protocol.AuditQuery{Since: q.Since, Limit: 1})
	if err != nil {
		return 0, err
	}
	if len(page.Rows) == 0 || page.Rows[0].Number > head.Number {
		return head.Number + 1, nil
	}
	return max(page.Rows[0].Number, 1), nil
}

// walk reads to the head. It uses the rows of the end alone if they reach back far enough.
func (o *Owner) walk(ctx context.Context, w *auditWalk, end []protocol.AuditRow) error {
	for rows := end; !w.done(); rows = nil {
		if len(rows) == 0 || rows[0].Number > w.chain.last.Number+1 {
			page, err := o.auditPage(ctx, protocol.AuditQuery{Cursor: w.chain.last.Number, Limit: protocol.MaxAuditPage})
			if err != nil {
				return err
			}
			rows = page.Rows
		}
		if err := w.take(rows); err != nil {
			return err
		}
	}
	return nil
}

func (o *Owner) auditPage(ctx context.Context, q protocol.AuditQuery) (protocol.Audit, error) {
	var page protocol.Audit
	err := o.call(ctx, func(token secret.String) (err error) {
		page, err = o.broker.Audit(ctx, token, q)
		return err
	})
	if err != nil {
		return page, fmt.Errorf("read audit: %w", err)
	}
	return page, nil
}

func (q UsageQuery) filters() bool { return !q.Agent.IsZero() || q.Service != "" || q.Action != "" }

func (q UsageQuery) matches(row protocol.AuditRow) bool {
	return (q.Agent.IsZero() || row.Agent == q.Agent) &&
		(q.Service == "" || row.Service == q.Service) &&
		(q.Action == "" || row.Action == q.Action) && row.Time >= q.Since
}
