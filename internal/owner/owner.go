// Package owner implements the commands of the person who owns agents: create the account,
// approve and deny boards, store and read credentials, set scopes, revoke, and read the audit
// trail. It never believes the broker: device keys, aliases, e-mails and scopes come only from
// manifests whose signature was checked here, and never from an older manifest than this machine
// has seen (docs/spec/architecture.md#manifests-and-records).
package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Config is what every use case needs. All fields are required but BrokerURL, Log,
// Reopened, Warn and KnownLimit.
type Config struct {
	ID        session.ID // the slot: master, or a custom id for a second account
	BrokerURL string     // what the person named; empty: the broker in the slot
	Slots     Slots
	Dial      func(brokerURL string) (Broker, error)
	Now       func() time.Time
	Log       *slog.Logger // nil: discard
	// Reopened is called when an account at a restored broker was updated and opened again;
	// nil: it is not called.
	Reopened func(Reopened)
	// Warn is called with what a person should do before a limit is reached; nil: it is not
	// called.
	Warn func(text string)
	// KnownLimit is for tests; 0: the constant.
	KnownLimit int
}

// Owner is an open account on this machine. It is not safe for concurrent use.
type Owner struct {
	cfg    Config
	broker Broker
	sess   session.Session
	info   store.Info
	known  known

	closed  bool // the broker was restored, and this account is not open in its epoch
	opening bool // the account is being updated and opened
	warned  bool // the owner was warned that manifests.json is nearly full

	askedAliases bool // of the broker, for Alias

	moveTo string // the broker that the next save of an open account remembers; empty: unchanged

	signingKey string // public, of sess.SigningSeed
	recipient  string // public, of sess.Identity
}

// Open loads the slot. ErrNoAccount: there is none, or it was ended; the user runs `init`.
// ErrNotOwner: the slot holds an agent's session. Errors of the store are passed on. It finishes
// a renewal that was interrupted and renews a session older than a day; a failure of either is
// only logged.
func Open(ctx context.Context, cfg Config) (*Owner, error) {
	o, err := load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if o.sess.CreatedAt == 0 || o.sess.Ended != nil {
		return nil, ErrNoAccount
	}
	o.renewIfDue(ctx)
	return o, nil
}

// load opens the slot without a request to the broker.
func load(ctx context.Context, cfg Config) (*Owner, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	sess, info, err := cfg.Slots.Load(ctx, cfg.ID)
	if errors.Is(err, store.ErrNoSession) {
		return nil, fmt.Errorf("%w: %w", ErrNoAccount, err)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", cfg.ID, err)
	}
	return build(cfg, sess, info)
}

// build makes an Owner from a session with the owner's keys.
func build(cfg Config, sess session.Session, info store.Info) (*Owner, error) {
	if sess.Identity.IsZero() || sess.SigningSeed.IsZero() {
		return nil, ErrNotOwner
	}
	o := &Owner{cfg: cfg, sess: sess, info: info}
	var err error
	if o.signingKey, err = seal.SigningKey(sess.SigningSeed); err != nil {
		return nil, fmt.Errorf("owner's signing key: %w", err)
	}
	if o.recipient, err = seal.Recipient(sess.Identity); err != nil {
		return nil, fmt.Errorf("owner's age key: %w", err)
	}
	if o.known, err = readKnown(cfg.Slots, cfg.ID); err != nil {
		return nil, err
	}
	if o.broker, err = cfg.Dial(session.BrokerURL(cfg.BrokerURL, sess.Broker)); err != nil {
		return nil, err
	}
	return o, nil
}

// Who says whose session it is and where it is stored.
type Who struct {
	Wallet     wallet.Wallet
	SessionID  session.ID
	Backend    words.Backend
	Broker     string // the one that is used: what the person named, else Remembered
	Remembered string
}

// Who describes the open account, from the slot alone.
func (o *Owner) Who() Who { return o.cfg.who(o.sess, o.info) }

func (c Config) who(s session.Session, info store.Info) Who {
	return Who{
		Wallet: s.Wallet, SessionID: c.ID, Backend: info.Backend,
		Broker: session.BrokerURL(c.BrokerURL, s.Broker), Remembered: s.Broker,
	}
}

// Wallet is the owner's own wallet.
func (o *Owner) Wallet() wallet.Wallet { return o.sess.Wallet }
