package sqlite

import (
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func (x tx) Entries(account, w wallet.Wallet) ([]seal.Entry, error) {
	return list(x, func(r scanner) (e seal.Entry, err error) {
		err = r.Scan(&e.Service, &e.Revision, &e.SHA256)
		return e, err
	},
		`SELECT service, revision, sha256 FROM records WHERE account = ? AND wallet = ? ORDER BY service`, name(account), name(w))
}

func (x tx) Record(account, w wallet.Wallet, service string) (protocol.SealedRecord, error) {
	return one(x, func(r scanner) (v protocol.SealedRecord, err error) {
		var data []byte
		err = r.Scan(&v.Service, &v.Revision, &data)
		v.Data = data
		return v, err
	}, `SELECT service, revision, data FROM records WHERE account = ? AND wallet = ? AND service = ?`, name(account), name(w), service)
}

func (x tx) PutRecord(account, w wallet.Wallet, r protocol.SealedRecord, sha256 string) error {
	err := x.exec(`INSERT INTO records (account, wallet, service, revision, sha256, data) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (wallet, service) DO UPDATE SET revision = excluded.revision, sha256 = excluded.sha256, data = excluded.data
		WHERE account = excluded.account`,
		name(account), name(w), r.Service, r.Revision, sha256, []byte(r.Data))
	if err != nil {
		return err
	}
	return x.exec(`INSERT INTO revisions (account, wallet, service, highest) VALUES (?, ?, ?, ?)
		ON CONFLICT (wallet, service) DO UPDATE SET highest = max(highest, excluded.highest) WHERE account = excluded.account`,
		name(account), name(w), r.Service, r.Revision)
}

func (x tx) DropRecord(account, w wallet.Wallet, service string) error {
	return x.exec(`DELETE FROM records WHERE account = ? AND wallet = ? AND service = ?`, name(account), name(w), service)
}

func (x tx) Revisions(account, w wallet.Wallet) (map[string]uint64, error) {
	rows, err := list(x, func(r scanner) (e seal.Entry, err error) { err = r.Scan(&e.Service, &e.Revision); return e, err },
		`SELECT service, highest FROM revisions WHERE account = ? AND wallet = ?`, name(account), name(w))
	out := map[string]uint64{}
	for _, e := range rows {
		out[e.Service] = e.Revision
	}
	return out, err
}
