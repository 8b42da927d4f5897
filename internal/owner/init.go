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

// WalletOf derives the owner's wallet from the owner's signing key (public,
// base64url), so that the recovery key alone names the account (ADR 0009).
func WalletOf(signingKey string) (wallet.Wallet, error) {
	if err := seal.CheckSigningKey(signingKey); err != nil {
		return wallet.Wallet{}, err
	}
	sum := sha256.Sum256([]byte("agentkeys owner v1\n" + signingKey))
	return wallet.Parse("0x" + hex.EncodeToString(sum[:wallet.Size]))
}

// Init is what `agentkeys init` was given. Both secrets may be empty.
type Init struct {
	SetupToken  secret.String // makes a new account
	RecoveryKey secret.String // brings an account to this machine
}

// Opened says what Start did.
type Opened struct {
	Who
	New         bool          // an account was made: show RecoveryKey, now or never
	Restored    bool          // the session was brought back by the owner's keys
	MovedFrom   string        // URL of the broker that the session remembered; empty: it stayed
	RecoveryKey secret.String // only when New
}

// Start makes the account, brings it back by its keys, moves it to the broker that is
// named, or says who it is. Tokens and
// keys are saved before the broker hears of them, and a repetition after a crash goes
// on with the same ones. shown is called with the recovery key of a new account
// before the account counts as open: a crash shows it twice rather than never.
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
	return o.goOn(ctx, in, shown)
}

// begin makes or takes the owner's keys and saves them: nothing was registered yet.
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
		return nil, err // a bad address leaves no slot behind
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

// goOn asks the broker what the saved session is worth.
func (o *Owner) goOn(ctx context.Context, in Init, shown func(Opened) error) (Opened, error) {
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
		// The account is not new, whatever a broker says: its key is not shown again.
		return Opened{Who: o.Who(), Restored: true}, o.saveOpen(ctx, o.sess, info)
	case err == nil:
		return o.confirm(ctx, info, shown)
	case errors.Is(err, protocol.ErrUnreachable) && registered && o.sess.Ended == nil:
		return Opened{Who: o.Who()}, nil // who you are needs no broker
	}
	return o.comeBack(ctx, registered, err)
}

// moveUnregistered keeps the broker that was named now for an account that no broker
// has confirmed: the first address may have been mistyped.
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

// register makes the account. The broker answers a repetition with the same bytes
// as it answered the first time.
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

// confirm shows the recovery key of an account that the broker made, and then keeps
// the account as open.
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

// comeBack resumes by the owner's signing key, with the challenge of a 401.
func (o *Owner) comeBack(ctx context.Context, registered bool, cause error) (Opened, error) {
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
