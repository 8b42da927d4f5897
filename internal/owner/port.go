package owner

import (
	"context"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Broker is the port to the broker. A refusal of the broker is a *protocol.Problem; an error
// without an answer of a broker wraps protocol.ErrUnreachable.
type Broker interface {
	CreateAccount(ctx context.Context, setupToken secret.String, a protocol.Account) (protocol.SessionInfo, error)

	// Info is the broker's version, epoch and time; without authentication.
	Info(ctx context.Context) (protocol.Info, error)
	// SetEpoch makes every later request say that this owner knows of that epoch.
	SetEpoch(epoch string)
	// SeenEpoch is the epoch that the last answer named; empty: it named none.
	SeenEpoch() string
	OpenAccount(ctx context.Context, token secret.String, a protocol.OpenAccount) error

	Session(ctx context.Context, token secret.String) (protocol.SessionInfo, error)
	EndSession(ctx context.Context, token secret.String, e protocol.EndSession) error
	Renew(ctx context.Context, token secret.String, r protocol.Renew) (protocol.SessionInfo, error)
	Resume(ctx context.Context, r protocol.Resume) (protocol.SessionInfo, error)

	FindPairing(ctx context.Context, token secret.String, lookup string) (protocol.FoundPairing, error)
	ApprovePairing(ctx context.Context, token secret.String, a protocol.ApprovePairing) error
	DenyPairing(ctx context.Context, token secret.String, d protocol.DenyPairing) error
	Pairings(ctx context.Context, token secret.String) ([]protocol.PairingEntry, error)

	Agents(ctx context.Context, token secret.String, cursor uint64) (protocol.AgentList, error)
	Teardown(ctx context.Context, token secret.String, w wallet.Wallet) error
	Revoke(ctx context.Context, token secret.String, w wallet.Wallet) error
	Reopen(ctx context.Context, token secret.String, w wallet.Wallet, r protocol.Reopen) error

	Manifest(ctx context.Context, token secret.String, w wallet.Wallet) (protocol.ManifestReply, error)
	PutManifest(ctx context.Context, token secret.String, w wallet.Wallet, ifMatch uint64, p protocol.PutManifest) (protocol.ManifestReply, error)
	Record(ctx context.Context, token secret.String, w wallet.Wallet, service string) (protocol.SealedRecord, error)

	Identity(ctx context.Context, identity string) (wallet.Wallet, error)
	Audit(ctx context.Context, token secret.String, q protocol.AuditQuery) (protocol.Audit, error)
}

// Slots is the port to the session store, with the contract of package store.
type Slots interface {
	Save(ctx context.Context, id session.ID, s session.Session) (store.Info, error)
	// SaveOver is Save for a caller that changes what it read: store.ErrStale if the slot was
	// saved since.
	SaveOver(ctx context.Context, id session.ID, generation uint64, s session.Session) (store.Info, error)
	Load(ctx context.Context, id session.ID) (session.Session, store.Info, error)
	Delete(ctx context.Context, id session.ID) error
	// HoldRun prevents other processes of this owner from renewing at the same time;
	// store.ErrBusy: one is renewing.
	HoldRun(id session.ID) (release func(), err error)
	// ReadFile and UpdateFile store manifests.json; fs.ErrNotExist: there is none yet. change
	// gets nil if there is no file, and returns nil if nothing is to be written.
	ReadFile(id session.ID, name string) ([]byte, error)
	UpdateFile(id session.ID, name string, change func(old []byte) ([]byte, error)) error
}
