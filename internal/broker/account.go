package broker

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
)

// Empty reports whether there is no account yet.
func (b *Broker) Empty(ctx context.Context) (bool, error) {
	n := 0
	err := b.store.View(ctx, func(tx Tx) error {
		var err error
		n, err = tx.CountAccounts()
		return err
	})
	return n == 0, err
}

// SetupLives reports whether the set-up token with that hash is still valid.
func (b *Broker) SetupLives(ctx context.Context, sha256 string) (bool, error) {
	lives := false
	err := b.store.View(ctx, func(tx Tx) error {
		want, err := tx.Meta(metaSetupSHA256)
		if errors.Is(err, ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		lives, err = b.setupLives(tx)
		lives = lives && want == sha256
		return err
	})
	return lives, err
}

// SetSetup accepts the set-up token with that hash, once, for 24 hours. An earlier token becomes
// invalid.
func (b *Broker) SetSetup(ctx context.Context, sha256 string) error {
	return b.store.Update(ctx, func(tx Tx) error {
		if err := tx.SetMeta(metaSetupSHA256, sha256); err != nil {
			return err
		}
		return tx.SetMeta(metaSetupUntil, strconv.FormatInt(b.unix()+setupLife, 10))
	})
}

func (b *Broker) setupLives(tx Tx) (bool, error) {
	until, known, err := metaInt(tx, metaSetupUntil)
	return known && b.unix() < until, err
}

// CreateAccount creates an owner. The bearer is the set-up token. A repetition with the same body
// gets the same answer, although the set-up token has been used.
func (b *Broker) CreateAccount(ctx context.Context, c Credentials, body protocol.Account) (protocol.SessionInfo, error) {
	if err := checkAccount(body); err != nil {
		return protocol.SessionInfo{}, err
	}
	var out protocol.SessionInfo
	err := b.store.Update(ctx, func(tx Tx) error {
		again, err := b.sameAccount(tx, body)
		if err == nil {
			out = b.info(again)
			return nil
		}
		if !errors.Is(err, ErrNone) {
			return err
		}
		if err := b.useSetup(tx, c.TokenSHA256); err != nil {
			return err
		}
		s, err := b.addAccount(tx, c, body)
		out = b.info(s)
		return err
	})
	return out, err
}

func checkAccount(body protocol.Account) error {
	switch {
	case body.Wallet.IsZero():
		return badRequest("wallet is missing")
	case !hashPattern.MatchString(body.TokenSHA256):
		return badRequest("token_sha256 is not 64 hex digits")
	case seal.CheckRecipient(body.Recipient) != nil:
		return badRequest("recipient is not an age hybrid recipient")
	case seal.CheckSigningKey(body.SigningKey) != nil:
		return badRequest("signing_key is malformed")
	}
	text := session.AccountText(body.Wallet, body.TokenSHA256, body.Recipient, body.SigningKey)
	if session.CheckProof(body.SigningKey, text, body.Signature) != nil {
		return denied("the signature is not by signing_key")
	}
	return nil
}

// sameAccount finds the session that exactly this body created; ErrNone: there is none.
func (b *Broker) sameAccount(tx Tx, body protocol.Account) (Session, error) {
	t, err := tx.Token(body.TokenSHA256)
	if err != nil {
		return Session{}, err
	}
	if t.Wallet != body.Wallet || t.Kind != TokenCurrent {
		return Session{}, ErrNone
	}
	a, err := tx.Account(body.Wallet)
	if err != nil {
		return Session{}, err
	}
	if a.Recipient != body.Recipient || a.SigningKey != body.SigningKey {
		return Session{}, ErrNone
	}
	return tx.Session(a.Wallet, t.Session)
}

func (b *Broker) useSetup(tx Tx, hash string) error {
	refusal := refuse(http.StatusUnauthorized, protocol.CodeTokenUnknown, "the set-up token is not known, was used, or is older than 24 hours")
	want, err := tx.Meta(metaSetupSHA256)
	if errors.Is(err, ErrNone) {
		return refusal
	}
	if err != nil {
		return err
	}
	lives, err := b.setupLives(tx)
	if err != nil {
		return err
	}
	if !lives || want != hash {
		return refusal
	}
	if err := tx.SetMeta(metaSetupSHA256, ""); err != nil {
		return err
	}
	return tx.SetMeta(metaSetupUntil, "")
}

func (b *Broker) addAccount(tx Tx, c Credentials, body protocol.Account) (Session, error) {
	now := b.unix()
	s := Session{
		Account: body.Wallet, Wallet: body.Wallet, Role: RoleOwner, State: StateActive, DeviceSignKey: body.SigningKey,
		CreatedAt: now, RenewedAt: now, ExpiresAt: now + sessionLife, Used: true, SeenEpoch: b.epoch, LastSeen: now, Address: c.Address,
	}
	err := tx.AddAccount(Account{Wallet: body.Wallet, Recipient: body.Recipient, SigningKey: body.SigningKey, CreatedAt: now, Epoch: b.epoch})
	if err == nil {
		err = tx.AddAgent(Agent{Account: body.Wallet, Wallet: body.Wallet, Role: RoleOwner, CreatedAt: now})
	}
	if errors.Is(err, ErrTaken) {
		return s, conflict("the wallet or the signing key is known already")
	}
	if err != nil {
		return s, err
	}
	if s.ID, err = tx.AddSession(s); err != nil {
		return s, err
	}
	if err := addToken(tx, s, body.TokenSHA256, TokenCurrent); err != nil {
		return s, err
	}
	return s, b.record(tx, body.Wallet, protocol.AuditRow{Action: protocol.ActionAccountCreated, Detail: "from " + c.Address})
}
