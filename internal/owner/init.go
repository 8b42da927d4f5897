package owner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// WalletOf derives the owner's wallet from the owner's signing key (public, base64url), so that
// the recovery key alone names the account (ADR 9).
func WalletOf(signingKey string) (wallet.Wallet, error) {
	if err := seal.CheckSigningKey(signingKey); err != nil {
		return wallet.Wallet{}, err
	}
	sum := sha256.Sum256([]byte("agentkeys owner v1\n" + signingKey))
	return wallet.Parse("0x" + hex.EncodeToString(sum[:wallet.Size]))
}

// Init is the input of `agentkeys init`. Both secrets may be empty.
type Init struct {
	SetupToken  secret.String // creates a new account
	RecoveryKey secret.String // restores an account on this machine
}

// Opened is the result of Start.
type Opened struct {
	Who
	New         bool          // an account was created: RecoveryKey has to be shown now
	Restored    bool          // the session was restored with the owner's keys
	MovedFrom   string        // URL of the broker that the session remembered; empty: it is unchanged
	RecoveryKey secret.String // only when New
}

// Start creates the account, restores it with its keys, moves it to the broker that is named, or
// says whose session this is. Tokens and keys are saved before they are sent to the broker, so
// that a repetition after a crash uses the same ones. shown is called with the recovery key of a
// new account before the account counts as open: after a crash the key is shown a second time
// rather than never.
func Start(ctx context.Context, cfg Config, in Init, shown func(Opened) error) (Opened, error) {
	o, err := load(ctx, cfg)
	switch {
	case errors.Is(err, ErrNoAccount):
		if o, err = begin(ctx, cfg, in); err != nil {
			return Opened{}, err
		}
	case err != nil:
		return Opened{}, err
	}
	if err := o.checkRecoveryKey(in.RecoveryKey); err != nil {
		return Opened{}, err
	}
	return o.continueStart(ctx, in, shown)
}

// begin makes the owner's keys or reads them from the recovery key, and saves them. Nothing has
// been registered yet.
func begin(ctx context.Context, cfg Config, in Init) (*Owner, error) {
	if cfg.BrokerURL == "" {
		return nil, ErrBrokerURL
	}
	s := session.Session{Token: session.NewToken(), Scope: scope.All(), Broker: cfg.BrokerURL}
	var err error
	switch {
	case !in.RecoveryKey.IsZero():
		if s.Identity, s.SigningSeed, err = seal.ParseRecoveryKey(in.RecoveryKey); err != nil {
			return nil, err
		}
	case in.SetupToken.IsZero():
		return nil, ErrSetupToken
	default:
		s.Identity, s.SigningSeed = seal.NewSeed(), seal.NewSeed()
	}
	key, err := seal.SigningKey(s.SigningSeed)
	if err != nil {
		return nil, err
	}
	if s.Wallet, err = WalletOf(key); err != nil {
		return nil, err
	}
	if _, err := cfg.Dial(cfg.BrokerURL); err != nil {
		return nil, err // a wrong address leaves no slot
	}
	if _, err := cfg.Slots.Save(ctx, cfg.ID, s); err != nil {
		return nil, fmt.Errorf("save %s: %w", cfg.ID, err)
	}
	return load(ctx, cfg)
}

func (o *Owner) checkRecoveryKey(key secret.String) error {
	if key.IsZero() {
		return nil
	}
	_, seed, err := seal.ParseRecoveryKey(key)
	if err != nil {
		return err
	}
	if !seed.Equal(o.sess.SigningSeed) {
		return fmt.Errorf("%s is open in slot %s: %w", o.sess.Wallet.String(), o.cfg.ID, ErrOtherAccount)
	}
	return nil
}

// continueStart asks the broker about the saved session, and acts on the answer.
func (o *Owner) continueStart(ctx context.Context, in Init, shown func(Opened) error) (Opened, error) {
	registered := o.sess.CreatedAt != 0
	if registered && o.moves() {
		return o.move(ctx)
	}
	if err := o.moveUnregistered(ctx, registered); err != nil {
		return Opened{}, err
	}
	if !registered && !in.SetupToken.IsZero() && in.RecoveryKey.IsZero() {
		return o.register(ctx, in.SetupToken, shown)
	}
	token := o.sess.Token
	if !o.sess.Next.IsZero() && o.useNext(ctx) == nil {
		return Opened{Who: o.Who(), Restored: true}, nil
	}
	info, err := o.ask(ctx, token)
	switch {
	case err == nil && registered && o.sess.Ended == nil:
		return Opened{Who: o.Who()}, nil
	case err == nil && (registered || !in.RecoveryKey.IsZero()):
		// The account is not new, even if the broker says so: its key is not shown again.
		return Opened{Who: o.Who(), Restored: true}, o.saveOpen(ctx, o.sess, info)
	case err == nil:
		return o.confirm(ctx, info, shown)
	case errors.Is(err, protocol.ErrUnreachable) && registered && o.sess.Ended == nil:
		return Opened{Who: o.Who()}, nil // this answer needs no broker
	}
	return o.resumeByKey(ctx, registered, err)
}

// moveUnregistered replaces the broker of an account that no broker has confirmed by the one
// that is named now, because the first address may have been mistyped.
func (o *Owner) moveUnregistered(ctx context.Context, registered bool) error {
	if registered || o.cfg.BrokerURL == "" || o.cfg.BrokerURL == o.sess.Broker {
		return nil
	}
	s := o.sess
	s.Broker = o.cfg.BrokerURL
	if err := o.save(ctx, s); err != nil {
		return err
	}
	var err error
	o.broker, err = o.cfg.Dial(s.Broker)
	return err
}

// register creates the account. For a repetition with the same bytes the broker has the same
// answer as for the first request.
func (o *Owner) register(ctx context.Context, setupToken secret.String, shown func(Opened) error) (Opened, error) {
	hash := session.TokenHash(o.sess.Token)
	signature, err := session.Prove(o.sess.SigningSeed, session.AccountText(o.sess.Wallet, hash, o.recipient, o.signingKey))
	if err != nil {
		return Opened{}, err
	}
	info, err := o.broker.CreateAccount(ctx, setupToken, protocol.Account{
		Wallet: o.sess.Wallet, TokenSHA256: hash, Recipient: o.recipient, SigningKey: o.signingKey, Signature: signature,
	})
	if protocol.HasCode(err, protocol.CodeTokenUnknown) {
		return Opened{}, ErrSetupRefused
	}
	if err != nil {
		return Opened{}, fmt.Errorf("make account: %w", err)
	}
	return o.confirm(ctx, info, shown)
}

// confirm shows the recovery key of an account that the broker created, and then saves the
// account as open.
func (o *Owner) confirm(ctx context.Context, info protocol.SessionInfo, shown func(Opened) error) (Opened, error) {
	opened := Opened{Who: o.Who(), New: true}
	var err error
	if opened.RecoveryKey, err = seal.RecoveryKey(o.sess.Identity, o.sess.SigningSeed); err != nil {
		return Opened{}, err
	}
	if err := shown(opened); err != nil {
		return Opened{}, fmt.Errorf("show recovery key: %w", err)
	}
	if err := o.saveOpen(ctx, o.sess, info); err != nil {
		return Opened{}, err
	}
	return opened, nil
}

// resumeByKey resumes with the owner's signing key and the challenge of a 401.
func (o *Owner) resumeByKey(ctx context.Context, registered bool, cause error) (Opened, error) {
	var p *protocol.Problem
	if !errors.As(cause, &p) || p.Challenge == "" {
		return Opened{}, fmt.Errorf("open account: %w", cause)
	}
	err := o.resume(ctx, p.Challenge)
	if protocol.HasCode(err, protocol.CodeTokenUnknown) && !registered {
		return Opened{}, fmt.Errorf("the broker does not know %s: %w", o.sess.Wallet.String(), ErrSetupToken)
	}
	if err != nil {
		return Opened{}, fmt.Errorf("open account: %w", err)
	}
	return Opened{Who: o.Who(), Restored: true}, nil
}
