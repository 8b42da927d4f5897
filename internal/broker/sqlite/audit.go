package sqlite

import (
	"errors"
	"slices"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func (x tx) AddEvent(account, w wallet.Wallet, id string, now int64) error {
	return x.exec(`INSERT INTO events (account, wallet, id, counted_at) VALUES (?, ?, ?, ?)`, name(account), name(w), id, now)
}

func (x tx) PruneEvents(before int64) error {
	return x.exec(`DELETE FROM events WHERE counted_at < ?`, before)
}

func (x tx) AuditHead(account wallet.Wallet) (protocol.AuditHead, error) {
	head, err := one(x, func(r scanner) (h protocol.AuditHead, err error) { err = r.Scan(&h.Number, &h.SHA256); return h, err },
		`SELECT number, sha256 FROM audit WHERE account = ? ORDER BY number DESC LIMIT 1`, name(account))
	if errors.Is(err, broker.ErrNone) {
		return protocol.AuditHead{}, nil
	}
	return head, err
}

func (x tx) AddAudit(account wallet.Wallet, r protocol.AuditRow) error {
	return x.exec(`INSERT INTO audit (account, number, time, agent, service, action, result, place, detail, sha256)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		name(account), r.Number, r.Time, name(r.Agent), r.Service, r.Action, r.Result, r.Where, r.Detail, r.SHA256)
}

func (x tx) Audit(account wallet.Wallet, q protocol.AuditQuery, limit int) ([]protocol.AuditRow, error) {
	first, err := x.firstSince(account, q.Since)
	if err != nil {
		return nil, err
	}
	order := "ASC"
	if q.FromEnd {
		order = "DESC"
	}
	rows, err := list(x, func(r scanner) (v protocol.AuditRow, err error) {
		err = r.Scan(&v.Number, &v.Time, walletColumn{&v.Agent}, &v.Service, &v.Action, &v.Result, &v.Where, &v.Detail, &v.SHA256)
		return v, err
	}, `SELECT number, time, agent, service, action, result, place, detail, sha256 FROM audit
		WHERE account = ?1 AND number > ?2 AND time >= ?3 AND (?4 = '' OR agent = ?4) AND (?5 = '' OR service = ?5)
		AND (?6 = '' OR action = ?6) ORDER BY number `+order+` LIMIT ?7`,
		name(account), max(int64(min(q.Cursor, 1<<62)), first-1), q.Since, name(q.Agent), q.Service, q.Action, limit)
	if q.FromEnd {
		slices.Reverse(rows)
	}
	return rows, err
}

// firstSince is the number of the first row that is not older than since. The index finds it
// without reading the older rows. If there is none, it is the highest possible number.
func (x tx) firstSince(account wallet.Wallet, since int64) (int64, error) {
	if since == 0 {
		return 1, nil
	}
	return one(x, func(r scanner) (number int64, err error) { err = r.Scan(&number); return number, err },
		firstSinceQuery, name(account), since)
}

const firstSinceQuery = `SELECT coalesce(min(number), 1 << 62) FROM audit WHERE account = ? AND time >= ?`
