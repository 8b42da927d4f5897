package sqlite

import (
	"database/sql"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const tokenColumns = `SELECT hash, kind, account, wallet, coalesce(session, 0) FROM tokens `

func scanToken(r scanner) (t broker.Token, err error) {
	err = r.Scan(&t.Hash, &t.Kind, walletColumn{&t.Account}, walletColumn{&t.Wallet}, &t.Session)
	return t, err
}

func sessionRef(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

func (x tx) Token(hash string) (broker.Token, error) {
	return one(x, scanToken, tokenColumns+`WHERE hash = ?`, hash)
}

func (x tx) AddToken(t broker.Token) error {
	return x.exec(`INSERT INTO tokens (hash, number, kind, account, wallet, session)
		VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM tokens WHERE session = ?5), ?2, ?3, ?4, ?5)`,
		t.Hash, t.Kind, name(t.Account), name(t.Wallet), sessionRef(t.Session))
}

func (x tx) SetToken(account wallet.Wallet, t broker.Token) error {
	return x.change(`UPDATE tokens SET kind = ?, account = ?, wallet = ?, session = ? WHERE hash = ? AND account = ?`,
		t.Kind, name(t.Account), name(t.Wallet), sessionRef(t.Session), t.Hash, name(account))
}

func (x tx) DropToken(hash string) error {
	return x.exec(`DELETE FROM tokens WHERE hash = ?`, hash)
}

func (x tx) Tokens(account wallet.Wallet, session int64) ([]broker.Token, error) {
	return list(x, scanToken, tokenColumns+`WHERE account = ? AND session = ? ORDER BY number`, name(account), session)
}

const sessionColumns = `SELECT id, account, wallet, role, state, device_sign_key, created_at, renewed_at, expires_at,
	used, seen_epoch, last_seen, address, ended_at FROM sessions `

func scanSession(r scanner) (s broker.Session, err error) {
	err = r.Scan(&s.ID, walletColumn{&s.Account}, walletColumn{&s.Wallet}, &s.Role, &s.State, &s.DeviceSignKey, &s.CreatedAt,
		&s.RenewedAt, &s.ExpiresAt, &s.Used, &s.SeenEpoch, &s.LastSeen, &s.Address, &s.EndedAt)
	return s, err
}

func (x tx) AddSession(s broker.Session) (int64, error) {
	res, err := x.t.ExecContext(x.ctx, `INSERT INTO sessions (account, wallet, role, state, device_sign_key, created_at,
		renewed_at, expires_at, used, seen_epoch, last_seen, address, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		name(s.Account), name(s.Wallet), s.Role, s.State, s.DeviceSignKey, s.CreatedAt,
		s.RenewedAt, s.ExpiresAt, s.Used, s.SeenEpoch, s.LastSeen, s.Address, s.EndedAt)
	if err != nil {
		return 0, translate(err)
	}
	id, err := res.LastInsertId()
	return id, translate(err)
}

func (x tx) Session(account wallet.Wallet, id int64) (broker.Session, error) {
	return one(x, scanSession, sessionColumns+`WHERE account = ? AND id = ?`, name(account), id)
}

func (x tx) Sessions(account, w wallet.Wallet) ([]broker.Session, error) {
	return list(x, scanSession, sessionColumns+`WHERE account = ? AND wallet = ? ORDER BY id DESC`, name(account), name(w))
}

func (x tx) SetSession(s broker.Session) error {
	return x.change(`UPDATE sessions SET state = ?, renewed_at = ?, expires_at = ?, used = ?, seen_epoch = ?, last_seen = ?,
		address = ?, ended_at = ? WHERE account = ? AND id = ?`,
		s.State, s.RenewedAt, s.ExpiresAt, s.Used, s.SeenEpoch, s.LastSeen, s.Address, s.EndedAt, name(s.Account), s.ID)
}

func (x tx) OverdueSessions(now int64) ([]broker.Session, error) {
	return list(x, scanSession, sessionColumns+`WHERE state IN ('active', 'parked') AND (expires_at <= ? OR used = 0) ORDER BY id`, now)
}

func (x tx) Stats(now int64) (broker.Stats, error) {
	out := broker.Stats{Sessions: map[string]int{
		broker.StateActive: 0, broker.StateParked: 0, broker.StateEnded: 0, broker.StateLapsed: 0,
	}}
	var err error
	if out.Accounts, err = x.CountAccounts(); err != nil {
		return out, err
	}
	out.RestoredAccounts, err = one(x, scanInt, `SELECT count(*) FROM accounts WHERE epoch IS NOT (SELECT value FROM meta WHERE key = 'epoch')`)
	if err != nil {
		return out, err
	}
	out.OpenPairings, err = one(x, scanInt, `SELECT count(*) FROM pairings WHERE state = 'open' AND expires_at > ?`, now)
	if err != nil {
		return out, err
	}
	type count struct {
		state string
		n     int
	}
	counts, err := list(x, func(r scanner) (c count, err error) { err = r.Scan(&c.state, &c.n); return c, err },
		`SELECT state, count(*) FROM sessions GROUP BY state`)
	for _, c := range counts {
		out.Sessions[c.state] = c.n
	}
	return out, err
}
