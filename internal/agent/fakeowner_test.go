package agent_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// owner signs manifests and seals records for one device.
type owner struct {
	t         *testing.T
	wallet    wallet.Wallet
	sign      secret.String
	recipient string
	manifest  seal.Manifest
	records   map[string]protocol.SealedRecord
}

func newOwner(t *testing.T, w wallet.Wallet, s session.Session) *owner {
	t.Helper()
	o := &owner{t: t, wallet: wallet.New(), sign: seal.NewSeed(), records: map[string]protocol.SealedRecord{}}
	o.recipient = must(seal.Recipient(seal.NewSeed()))(t)
	o.manifest = seal.Manifest{
		Owner: o.wallet, Wallet: w, Emails: []string{}, OfflineTTL: seal.DefaultOfflineTTL,
		DeviceKey: must(seal.Recipient(s.DeviceKey))(t), DeviceSignKey: must(seal.SigningKey(s.DeviceSignKey))(t),
	}
	return o
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (o *owner) scope(services ...string) {
	o.manifest.Scope = must(scope.Of(services...))(o.t)
}

// store seals a value; to the device only where the service is in scope.
func (o *owner) store(service, value string) {
	to := []string{o.recipient}
	if o.manifest.Scope.Allows(service) {
		to = append(to, o.manifest.DeviceKey)
	}
	revision := uint64(1)
	if old, ok := o.records[service]; ok {
		revision = old.Revision + 1
	}
	o.records[service] = must(seal.SealRecord(service, revision, secret.New(value), to...))(o.t)
}

func (o *owner) signed() protocol.SignedManifest {
	o.manifest.Revision++
	o.manifest.Records = nil
	for _, r := range o.records {
		o.manifest.Records = append(o.manifest.Records, seal.EntryOf(r))
	}
	return must(seal.Sign(o.manifest, o.sign))(o.t)
}

// publish gives the broker what the owner signed last.
func (o *owner) publish(b *fakeBroker) {
	raw := o.signed()
	b.set(func(b *fakeBroker) {
		b.manifest, b.revision, b.records = raw, o.manifest.Revision, map[string]protocol.SealedRecord{}
		for name, r := range o.records {
			b.records[name] = r
		}
	})
}
