package sqlite

import (
	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const pairingColumns = `SELECT token_sha256, lookup, request, mac, state, address, opened_at, expires_at, resumed, wants,
	found_by, account, wallet, grant_bytes, grant_mac, manifest, signature, deny_mac, decided_at FROM pairings `

// living selects the pairings that occupy their lookup; the unique index has the same condition.
const living = `state IN ('open', 'denied') AND expires_at > 0`

func scanPairing(r scanner) (p broker.Pairing, err error) {
	err = r.Scan(&p.TokenSHA256, &p.Lookup, &p.Request, &p.MAC, &p.State, &p.Address, &p.OpenedAt, &p.ExpiresAt, &p.Resumed,
		walletColumn{&p.Wants}, walletColumn{&p.FoundBy}, walletColumn{&p.Account}, walletColumn{&p.Wallet},
		&p.Grant, &p.GrantMAC, &p.Manifest, &p.Signature, &p.DenyMAC, &p.DecidedAt)
	return p, err
}

func (x tx) AddPairing(p broker.Pairing) error {
	return x.exec(`INSERT INTO pairings (token_sha256, lookup, request, mac, state, address, opened_at, expires_at, resumed,
		wants, found_by, account, wallet, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.TokenSHA256, p.Lookup, p.Request, p.MAC, p.State, p.Address, p.OpenedAt, p.ExpiresAt, p.Resumed,
		name(p.Wants), name(p.FoundBy), name(p.Account), name(p.Wallet), p.DecidedAt)
}

func (x tx) SetPairing(p broker.Pairing) error {
	return x.change(`UPDATE pairings SET state = ?, expires_at = ?, resumed = ?, found_by = ?, account = ?, wallet = ?,
		grant_bytes = ?, grant_mac = ?, manifest = ?, signature = ?, deny_mac = ?, decided_at = ? WHERE token_sha256 = ?`,
		p.State, p.ExpiresAt, p.Resumed, name(p.FoundBy), name(p.Account), name(p.Wallet),
		p.Grant, p.GrantMAC, p.Manifest, p.Signature, p.DenyMAC, p.DecidedAt, p.TokenSHA256)
}

func (x tx) Pairing(tokenSHA256 string) (broker.Pairing, error) {
	return one(x, scanPairing, pairingColumns+`WHERE token_sha256 = ?`, tokenSHA256)
}

func (x tx) PairingByLookup(lookup string, since int64) (broker.Pairing, error) {
	return one(x, scanPairing, pairingColumns+`WHERE lookup = ? AND ((`+living+`) OR opened_at > ?)
		ORDER BY (`+living+`) DESC, opened_at DESC, rowid DESC LIMIT 1`, lookup, since)
}

func (x tx) Pairings(account wallet.Wallet) ([]broker.Pairing, error) {
	return list(x, scanPairing, pairingColumns+`WHERE account = ? ORDER BY decided_at DESC, rowid DESC LIMIT ?`, name(account), protocol.MaxPairingList)
}

func (x tx) LivePairings(w wallet.Wallet) ([]broker.Pairing, error) {
	return list(x, scanPairing, pairingColumns+`WHERE wants = ? AND `+living, name(w))
}

func (x tx) OverduePairings(now int64) ([]broker.Pairing, error) {
	return list(x, scanPairing, pairingColumns+`WHERE `+living+` AND expires_at <= ? ORDER BY expires_at`, now)
}

func (x tx) CountLivePairings() (int, error) {
	return one(x, scanInt, `SELECT count(*) FROM pairings WHERE `+living)
}

func (x tx) UnseenPairings() ([]broker.Pairing, error) {
	scan := func(r scanner) (p broker.Pairing, err error) {
		return p, r.Scan(&p.TokenSHA256, &p.Address, &p.OpenedAt)
	}
	return list(x, scan, `SELECT token_sha256, address, opened_at FROM pairings
		WHERE state = 'open' AND `+living+` AND found_by = '' ORDER BY opened_at, rowid`)
}

func (x tx) DropPairing(tokenSHA256 string) error {
	if err := x.exec(`DELETE FROM tokens WHERE kind = 'pairing' AND hash = ?`, tokenSHA256); err != nil {
		return err
	}
	return x.exec(`DELETE FROM pairings WHERE token_sha256 = ?`, tokenSHA256)
}

func (x tx) PrunePairings(before int64) error {
	const old = `state = 'expired' AND account = '' AND opened_at < ?`
	err := x.exec(`DELETE FROM tokens WHERE kind = 'pairing' AND hash IN (SELECT token_sha256 FROM pairings WHERE `+old+`)`, before)
	if err != nil {
		return err
	}
	return x.exec(`DELETE FROM pairings WHERE `+old, before)
}
