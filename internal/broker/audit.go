package broker

import (
	"cmp"
	"context"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const auditPage = 200 // rows, if the owner does not say how many

// The results and places in audit rows.
const (
	resultOK     = "ok"
	resultDenied = "denied"
	whereBroker  = "broker"
	whereLocal   = "local"
)

// record writes a row of the account's trail if the budget of its wallet and kind allows it.
// Otherwise the row is counted, and written later as one row together with others of its kind.
func (b *Broker) record(tx Tx, account wallet.Wallet, row protocol.AuditRow) error {
	if row.Result == "" {
		row.Result = resultOK
	}
	if row.Where == "" {
		row.Where = whereBroker
	}
	p := part{account, row.Agent, kind{row.Action, row.Where}}
	if _, free := allowanceOf(p.kind); !free && !b.budget.Admit(p, row, b.now()) {
		return nil
	}
	return b.append(tx, account, row)
}

// append adds a row to the account's chain. It sets number, time and hash.
func (b *Broker) append(tx Tx, account wallet.Wallet, row protocol.AuditRow) error {
	head, err := tx.AuditHead(account)
	if err != nil {
		return err
	}
	row.Number = head.Number + 1
	row.Time = b.unix()
	row.SHA256 = protocol.ChainRow(head.SHA256, row)
	if err := countChange(tx); err != nil {
		return err
	}
	return tx.AddAudit(account, row)
}

// recordDenial writes a denial in a transaction of its own, because the refused transaction
// changed nothing, and returns the refusal.
func (b *Broker) recordDenial(ctx context.Context, account wallet.Wallet, row protocol.AuditRow, refusal *protocol.Problem) error {
	row.Result = resultDenied
	if err := b.store.Update(ctx, func(tx Tx) error { return b.record(tx, account, row) }); err != nil {
		return err
	}
	return refusal
}

// Audit returns to an owner a page of its rows, oldest first, from the beginning or from the end.
// Next is 0 for a page from the end, since no row follows it.
func (b *Broker) Audit(ctx context.Context, c Credentials, q protocol.AuditQuery) (protocol.Audit, error) {
	out := protocol.Audit{Rows: []protocol.AuditRow{}}
	limit := cmp.Or(q.Limit, auditPage)
	err := b.asOwner(ctx, c, func(tx Tx, p principal) error {
		rows, err := tx.Audit(p.Account, q, limit+1)
		if err != nil {
			return err
		}
		out = protocol.Audit{}
		switch more := len(rows) > limit; {
		case more && q.FromEnd:
			rows = rows[1:]
		case more:
			rows = rows[:limit]
			out.Next = rows[limit-1].Number
		}
		out.Rows = append([]protocol.AuditRow{}, rows...)
		out.Head, err = tx.AuditHead(p.Account)
		return err
	})
	return out, err
}
