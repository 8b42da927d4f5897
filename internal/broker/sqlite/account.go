package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// walletColumn reads and writes a wallet; the zero wallet is the empty text.
type walletColumn struct{ w *wallet.Wallet }

func (c walletColumn) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("wallet column holds %T", src)
	}
	*c.w = wallet.Wallet{}
	if text == "" {
		return nil
	}
	return c.w.UnmarshalText([]byte(text))
}

func (c walletColumn) Value() (driver.Value, error) { return name(*c.w), nil }

func name(w wallet.Wallet) string {
	if w.IsZero() {
		return ""
	}
	return w.String()
}

func (x tx) Meta(key string) (string, error) {
	return one(x, func(r scanner) (v string, err error) { err = r.Scan(&v); return v, err },
		`SELECT value FROM meta WHERE key = ?`, key)
}

func (x tx) SetMeta(key, value string) error {
	if value == "" {
		return x.exec(`DELETE FROM meta WHERE key = ?`, key)
	}
	return x.exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
}

func (x tx) AddAccount(a broker.Account) error {
	return x.exec(`INSERT INTO accounts (account, recipient, signing_key, created_at, epoch) VALUES (?, ?, ?, ?, ?)`,
		name(a.Wallet), a.Recipient, a.SigningKey, a.CreatedAt, a.Epoch)
}

func (x tx) SetAccountEpoch(account wallet.Wallet, epoch string) error {
	return x.change(`UPDATE accounts SET epoch = ? WHERE account = ?`, epoch, name(account))
}

const accountColumns = `SELECT account, recipient, signing_key, created_at, epoch FROM accounts `

func scanAccount(r scanner) (a broker.Account, err error) {
	err = r.Scan(walletColumn{&a.Wallet}, &a.Recipient, &a.SigningKey, &a.CreatedAt, &a.Epoch)
	return a, err
}

func (x tx) Account(account wallet.Wallet) (broker.Account, error) {
	return one(x, scanAccount, accountColumns+`WHERE account = ?`, name(account))
}

func scanWallet(r scanner) (w wallet.Wallet, err error) {
	err = r.Scan(walletColumn{&w})
	return w, err
}

func (x tx) AccountOf(w wallet.Wallet) (wallet.Wallet, error) {
	return one(x, scanWallet, `SELECT account FROM agents WHERE wallet = ?`, name(w))
}

func scanInt(r scanner) (n int, err error) {
	err = r.Scan(&n)
	return n, err
}

func (x tx) CountAccounts() (int, error) {
	return one(x, scanInt, `SELECT count(*) FROM accounts`)
}

const agentColumns = `SELECT rowid, account, wallet, role, created_at, torn_down_at, revision, manifest, signature,
	machine, host, version, storage_backend, keychain_state FROM agents `

func scanAgent(r scanner) (a broker.Agent, err error) {
	err = r.Scan(&a.Place, walletColumn{&a.Account}, walletColumn{&a.Wallet}, &a.Role, &a.CreatedAt, &a.TornDownAt, &a.Revision,
		&a.Manifest, &a.Signature, &a.Machine, &a.Host, &a.Version, &a.StorageBackend, &a.KeychainState)
	return a, err
}

func (x tx) AddAgent(a broker.Agent) error {
	return x.exec(`INSERT INTO agents (account, wallet, role, created_at, torn_down_at, revision, manifest, signature,
		machine, host, version, storage_backend, keychain_state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		name(a.Account), name(a.Wallet), a.Role, a.CreatedAt, a.TornDownAt, a.Revision, a.Manifest, a.Signature,
		a.Machine, a.Host, a.Version, a.StorageBackend, a.KeychainState)
}

func (x tx) Agent(account, w wallet.Wallet) (broker.Agent, error) {
	return one(x, scanAgent, agentColumns+`WHERE account = ? AND wallet = ?`, name(account), name(w))
}

func (x tx) Agents(account wallet.Wallet, place uint64, limit int) ([]broker.Agent, error) {
	return list(x, scanAgent, agentColumns+`WHERE account = ? AND role = 'agent' AND torn_down_at = 0 AND rowid > ? ORDER BY rowid LIMIT ?`,
		name(account), int64(min(place, math.MaxInt64)), limit)
}

func (x tx) SetAgent(a broker.Agent) error {
	return x.change(`UPDATE agents SET torn_down_at = ?, revision = ?, manifest = ?, signature = ?, machine = ?, host = ?,
		version = ?, storage_backend = ?, keychain_state = ? WHERE account = ? AND wallet = ?`,
		a.TornDownAt, a.Revision, a.Manifest, a.Signature, a.Machine, a.Host, a.Version, a.StorageBackend, a.KeychainState,
		name(a.Account), name(a.Wallet))
}

func (x tx) SetIdentities(account, w wallet.Wallet, names []string) error {
	if err := x.exec(`DELETE FROM identities WHERE account = ? AND wallet = ?`, name(account), name(w)); err != nil {
		return err
	}
	var err error
	for _, n := range names {
		err = errors.Join(err, x.exec(`INSERT INTO identities (account, identity, wallet) VALUES (?, ?, ?)`, name(account), n, name(w)))
	}
	return err
}

func (x tx) Resolve(identity string) ([]wallet.Wallet, error) {
	return list(x, scanWallet, `SELECT wallet FROM identities WHERE identity = ? ORDER BY wallet`, identity)
}
