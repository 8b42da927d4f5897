package owner

import (
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// auditWalk goes through the rows of a trail, page by page, up to the head that the
// trail named at the beginning.
type auditWalk struct {
	query  UsageQuery
	chain  chainCheck
	first  uint64 // number of the first row that may be shown
	show   func([]protocol.AuditRow) error
	newest []protocol.AuditRow // that match, where only the newest are shown
	left   bool                // older ones that match were left out
}

// begin decides where the chain is picked up: at the row that was seen last, or before
// the first row that is shown, whichever is older. Where the broker said which row is the
// first since a time, the one before is looked at too.
func (w *auditWalk) begin() error {
	c, first := &w.chain, w.first
	if w.query.Since > 0 && first > 1 {
		first--
	}
	switch {
	case c.head.Number < c.seen.Number:
		c.fail("row %d is gone", c.seen.Number)
	case c.head.Number == c.seen.Number && c.head != c.seen:
		c.fail("row %d is another one than before", c.seen.Number)
	case c.seen.Number > 0 && c.seen.Number < first:
		c.last = c.seen
	case first > 2:
		c.last.Number, c.open = first-2, true // the row before the first is taken as it is
	}
	return c.err
}

func (w *auditWalk) done() bool { return w.chain.last.Number >= w.chain.head.Number }

// take checks the next rows and shows what matches.
func (w *auditWalk) take(rows []protocol.AuditRow) error {
	before, matches := w.chain.last.Number, []protocol.AuditRow{}
	for _, row := range rows {
		if row.Number <= before || row.Number > w.chain.head.Number {
			continue // from before the walk, or written since it began
		}
		w.chain.add(row)
		switch {
		case row.Number >= w.first && w.query.matches(row):
			matches = append(matches, row)
		case row.Number < w.first && w.query.Since > 0 && row.Time >= w.query.Since:
			w.chain.fail("row %d was left out", row.Number)
		}
	}
	if w.chain.last.Number == before {
		w.chain.fail("the rows end before row %d", w.chain.head.Number)
	}
	if err := w.keep(matches); err != nil {
		return err
	}
	return w.chain.err
}

// keep shows rows at once where all are wanted, and else keeps the newest.
func (w *auditWalk) keep(rows []protocol.AuditRow) error {
	if w.query.All || w.query.Since > 0 {
		return w.show(rows)
	}
	w.newest = append(w.newest, rows...)
	if n := len(w.newest) - shownRows; n > 0 {
		w.left = true
		w.newest = append([]protocol.AuditRow{}, w.newest[n:]...)
	}
	return nil
}

// flush shows what was kept.
func (w *auditWalk) flush() error {
	if len(w.newest) == 0 {
		return nil
	}
	return w.show(w.newest)
}

// chainCheck holds rows against each other, against the row seen before and against
// the head that this trail named at its beginning; err is the first thing that did not
// fit.
type chainCheck struct {
	seen, head, last protocol.AuditHead
	open             bool // the next row has no predecessor that it could be held against
	err              error
}

func (c *chainCheck) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrRewritten)
	}
}

func (c *chainCheck) add(row protocol.AuditRow) {
	if row.Number != c.last.Number+1 || !c.open && row.SHA256 != protocol.ChainRow(c.last.SHA256, row) {
		c.fail("row %d does not follow row %d", row.Number, c.last.Number)
	}
	if row.Number == c.seen.Number && row.SHA256 != c.seen.SHA256 {
		c.fail("row %d is another one than before", row.Number)
	}
	if row.Number == c.head.Number && row.SHA256 != c.head.SHA256 {
		c.fail("row %d is not the one that was named as the last", row.Number)
	}
	c.last, c.open = protocol.AuditHead{Number: row.Number, SHA256: row.SHA256}, false
}
