package broker

import (
	"context"
	"errors"
	"net/http"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// installRecords makes the stored records exactly those that m lists. Every listed record is stored
// already or part of the request. A new one must have a higher revision than the service ever had
// in this wallet.
func (b *Broker) installRecords(tx Tx, account wallet.Wallet, m seal.Manifest, records []protocol.SealedRecord) error {
	stored, err := tx.Entries(account, m.Wallet)
	if err != nil {
		return err
	}
	highest, err := tx.Revisions(account, m.Wallet)
	if err != nil {
		return err
	}
	have := map[string]seal.Entry{}
	for _, e := range stored {
		have[e.Service] = e
	}
	sent := map[string]bool{}
	for _, r := range records {
		entry, listed := m.Entry(r.Service)
		switch {
		case sent[r.Service] || !listed:
			return badRequest("a record is sent twice or not listed")
		case len(r.Data) == 0 || len(r.Data) > maxSealed:
			return badRequest("a record is empty or too large")
		case seal.CheckRecord(r, entry) != nil:
			return badRequest("a record is not the one that the manifest lists")
		}
		sent[r.Service] = true
		if have[r.Service] == entry {
			continue
		}
		if r.Revision <= highest[r.Service] {
			return conflict("the revision of record " + r.Service + " was used already")
		}
		if err := tx.PutRecord(account, m.Wallet, r, entry.SHA256); err != nil {
			return err
		}
		have[r.Service] = entry
	}
	return dropUnlisted(tx, account, m, have)
}

func dropUnlisted(tx Tx, account wallet.Wallet, m seal.Manifest, have map[string]seal.Entry) error {
	for _, e := range m.Records {
		if have[e.Service] != e {
			return badRequest("record " + e.Service + " is listed and did not come")
		}
		delete(have, e.Service)
	}
	for service := range have {
		if err := tx.DropRecord(account, m.Wallet, service); err != nil {
			return err
		}
	}
	return nil
}

// own is a wallet of the principal's account that was not torn down. A wallet of another account
// is treated like one that does not exist.
func (b *Broker) own(tx Tx, p principal, w wallet.Wallet) (Agent, error) {
	a, err := tx.Agent(p.Account, w)
	if errors.Is(err, ErrNone) || (err == nil && a.TornDownAt != 0) {
		return a, notFound("no such agent")
	}
	return a, err
}

// asReader runs f for a bearer that may read w: the owner any of its wallets, an agent only its
// own. service is named in the audit row of a denial; "" for none.
func (b *Broker) asReader(ctx context.Context, c Credentials, w wallet.Wallet, service string, f func(Tx, principal, Agent) error) error {
	return b.as(ctx, c, func(tx Tx, p principal) error {
		a, err := b.own(tx, p, w)
		var refusal *protocol.Problem
		if p.Role == RoleAgent && errors.As(err, &refusal) {
			return deny(p, refusal, service, "wallet "+w.String())
		}
		if err != nil {
			return err
		}
		if p.Role == RoleAgent && p.Wallet != w {
			return deny(p, denied("this is another wallet"), service, "wallet "+w.String())
		}
		return f(tx, p, a)
	})
}

// Record returns one sealed record. For an agent the scope of its manifest is checked too, and the
// answer is audited.
func (b *Broker) Record(ctx context.Context, c Credentials, w wallet.Wallet, service string) (protocol.SealedRecord, error) {
	if scope.CheckService(service) != nil {
		return protocol.SealedRecord{}, badRequest("not a service name")
	}
	var out protocol.SealedRecord
	err := b.asReader(ctx, c, w, service, func(tx Tx, p principal, a Agent) error {
		if p.Role == RoleAgent {
			m, err := seal.Parse(a.Manifest)
			if err != nil {
				return err
			}
			if !m.Scope.Allows(service) {
				return deny(p, refuse(http.StatusForbidden, protocol.CodeDeniedScope, "the service is not in this agent's scope"), service, protocol.AccessDetail{Reason: protocol.ReasonScope}.String())
			}
		}
		var err error
		out, err = tx.Record(p.Account, w, service)
		if errors.Is(err, ErrNone) {
			return notFound("no such record")
		}
		if err != nil || p.Role != RoleAgent {
			return err
		}
		return b.record(tx, p.Account, protocol.AuditRow{Agent: w, Service: service, Action: protocol.ActionSynced})
	})
	return out, err
}

// Records returns all records of a wallet that the bearer may have.
func (b *Broker) Records(ctx context.Context, c Credentials, w wallet.Wallet) (protocol.RecordList, error) {
	out := protocol.RecordList{Records: []protocol.SealedRecord{}}
	err := b.asReader(ctx, c, w, "", func(tx Tx, p principal, a Agent) error {
		out.Records = []protocol.SealedRecord{}
		if a.Revision == 0 {
			return nil
		}
		m, err := seal.Parse(a.Manifest)
		if err != nil {
			return err
		}
		list := m.Records
		if p.Role == RoleAgent {
			list = m.Served()
		}
		for _, e := range list {
			r, err := tx.Record(p.Account, w, e.Service)
			if err != nil {
				return err
			}
			out.Records = append(out.Records, r)
			if p.Role != RoleAgent {
				continue
			}
			row := protocol.AuditRow{Agent: w, Service: e.Service, Action: protocol.ActionSynced}
			if err := b.record(tx, p.Account, row); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
