package owner

import (
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// auditWalk reads the rows of a trail, page by page, up to the head that the trail named at the
// beginning.
type auditWalk struct {
	query  UsageQuery
	chain  chainCheck
	first  uint64 // number of the first row that may be shown
	show   func([]protocol.AuditRow) error
	newest []protocol.AuditRow // the rows that match, if only the newest are shown
	left   bool                // older rows that match were left out
}

// begin decides where the chain starts: at the row that was seen last, or before the first row
// that is shown, whichever is older. If the broker named the first row since a time, the row
// before it is read too, so that its time can be checked.
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
		c.last.Number, c.open = first-2, true // the row before the first has no predecessor to check
	}
	return c.err
}

func (w *auditWalk) done() bool { return w.chain.last.Number >= w.chain.head.Number }

// take checks the next rows and shows what matches.
func (w *auditWalk) take(rows []protocol.AuditRow) error {
	before, matches := w.chain.last.Number, []protocol.AuditRow{}
	for _, row := range rows {
		if row.Number <= before || row.Number > w.chain.head.Number {
			continue // before the start of the chain, or written since the walk began
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

// keep shows rows at once if all are wanted; otherwise it keeps the newest.
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

// flush shows the rows that were kept.
func (w *auditWalk) flush() error {
	if len(w.newest) == 0 {
		return nil
	}
	return w.show(w.newest)
}

// chainCheck compares rows with each other, with the row seen before and with the head that the
// trail named at its beginning; err is the first difference.
type chainCheck struct {
	seen, head, last protocol.AuditHead
	open             bool // the next row has no predecessor to be compared with
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
