package enroll

import (
	"context"
	"errors"
	"time"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
)

// maxDraws is how many codes are drawn for one request: with 1,000 open pairings in
// 32,768 lookups even three conflicts in a row do not happen by chance.
const maxDraws = 5

// maxLife is how long one code may be worked with in all, resumes included. What the
// broker knows of it is worth guessing only as long as somebody would believe it.
const maxLife = (maxResumed + 1) * protocol.PairingLife // seconds

// maxResumed is how often a pairing that was cut off is taken up again.
const maxResumed = 10

// resume looks for a pending slot of the same request whose code is still good and that no
// other process works on, and continues with its code. done is false where there is none.
func (p *pairer) resume(ctx context.Context) (done bool, out Paired, err error) {
	slots, err := p.c.Store.List()
	if err != nil {
		return false, Paired{}, err
	}
	for _, slot := range slots {
		if !slot.ID.IsPending() || slot.Err != nil {
			continue
		}
		if err := p.c.Store.ReconcileSlot(ctx, slot.ID); err != nil { // collects dead ones
			p.c.Logger.Debug("reconcile", "session_id", slot.ID.String(), "error", err)
		}
		if !p.take(ctx, slot.ID) {
			continue
		}
		out, gone, err := p.goOn(ctx)
		p.release()
		if !gone {
			return true, out, err
		}
	}
	return false, Paired{}, nil
}

// take locks a pending slot and reads it; false leaves it to others.
func (p *pairer) take(ctx context.Context, id session.ID) bool {
	release, err := p.c.Store.HoldRun(id)
	if err != nil {
		return false
	}
	s, _, err := p.c.Store.Load(ctx, id)
	if err != nil || !p.same(s) || p.restore(id, s) != nil {
		release()
		return false
	}
	p.release = release
	return true
}

// same reports whether a pending session asks what the person asks now.
func (p *pairer) same(s session.Session) bool {
	if s.Pairing == nil || s.Pairing.Kind != p.r.Kind || s.Pairing.Resumed >= maxResumed || s.Broker != p.c.URL {
		return false
	}
	// Before its own time or long after it, the clock is wrong or the code is old.
	if age := time.Now().Unix() - s.Pairing.StartedAt; age < -maxLife || age > maxLife {
		return false
	}
	r, err := pairing.ParseRequest(s.Pairing.Request)
	return err == nil && r.Alias == p.r.Alias && r.RequestedScope.Equal(p.r.Scope) && s.Wallet == p.wallet
}

func (p *pairer) restore(id session.ID, s session.Session) error {
	code, err := pairing.ParseCode(s.Pairing.Code.Reveal())
	if err != nil {
		return err
	}
	p.id, p.s, p.code = id, s, code
	return p.derive()
}

func (p *pairer) derive() error {
	var err error
	p.key, err = pairing.DeriveKey(p.code, p.s.Pairing.Request)
	return err
}

// goOn asks what became of a pairing that was cut off. gone: its code is dead and
// its slot removed; a new one is made.
func (p *pairer) goOn(ctx context.Context) (out Paired, gone bool, err error) {
	granted, err := p.c.Broker.PollPairing(ctx, p.s.Token, 0)
	if err == nil && granted != nil {
		out, err = p.promote(ctx, granted)
		return out, false, err
	}
	if p.isDenied(err) {
		p.discard(ctx)
		return Paired{}, true, nil
	}
	again := *p.s.Pairing
	again.Resumed++
	p.s.Pairing = &again
	if _, err := p.c.Store.Save(ctx, p.id, p.s); err != nil {
		return Paired{}, false, err
	}
	err = p.post(ctx)
	if protocol.HasCode(err, protocol.CodeConflict) {
		p.discard(ctx)
		return Paired{}, true, nil
	}
	if err != nil {
		return Paired{}, false, failure(err)
	}
	out, err = p.await(ctx)
	return out, false, err
}

// open makes keys, token and code, stores them, and only then asks the broker.
func (p *pairer) open(ctx context.Context) error {
	if err := p.prepare(ctx); err != nil {
		return err
	}
	for draws := 1; ; draws++ {
		err := p.post(ctx)
		if err == nil {
			return nil
		}
		if !protocol.HasCode(err, protocol.CodeConflict) || draws == maxDraws {
			p.release()
			return failure(err)
		}
		if err := p.redraw(ctx); err != nil { // the first three characters are taken
			p.release()
			return err
		}
	}
}

// prepare makes the pending slot. Should another process be so fast to take it up,
// it is its, and this one makes another.
func (p *pairer) prepare(ctx context.Context) error {
	for {
		if err := p.invent(); err != nil {
			return err
		}
		if _, err := p.c.Store.Save(ctx, p.id, p.s); err != nil {
			return err
		}
		release, err := p.c.Store.HoldRun(p.id)
		if err == nil {
			p.release = release
			return nil
		}
		if !errors.Is(err, store.ErrBusy) {
			return err
		}
	}
}

func (p *pairer) invent() error {
	p.id, p.code = session.NewPendingID(), pairing.NewCode()
	p.s = session.Session{
		Token: session.NewToken(), Wallet: p.wallet, Broker: p.c.URL,
		DeviceKey: seal.NewSeed(), DeviceSignKey: seal.NewSeed(),
		CreatedAt: time.Now().Unix(), TTLSeconds: int64(session.TTL / time.Second),
	}
	request, err := p.request()
	if err != nil {
		return err
	}
	p.s.Pairing = &session.Pairing{Code: p.code.Text(), Kind: p.r.Kind, Request: request, StartedAt: p.s.CreatedAt}
	return p.derive()
}

func (p *pairer) request() ([]byte, error) {
	deviceKey, err := seal.Recipient(p.s.DeviceKey)
	if err != nil {
		return nil, err
	}
	signKey, err := seal.SigningKey(p.s.DeviceSignKey)
	if err != nil {
		return nil, err
	}
	r := pairing.Request{
		Kind: p.r.Kind, TokenSHA256: session.TokenHash(p.s.Token), DeviceKey: deviceKey, DeviceSignKey: signKey,
		RequestedScope: p.r.Scope, Alias: p.r.Alias, Host: hostText(p.c.Host), Machine: p.c.Machine,
	}
	if p.r.Kind == pairing.KindRecover {
		r.Identity = p.wallet.String()
	}
	return r.Encode()
}

// hostText is the name of this machine, empty if a request cannot hold it.
func hostText(text string) string {
	if pairing.CheckText(text) != nil {
		return ""
	}
	return text
}

// redraw draws another code for the same keys.
func (p *pairer) redraw(ctx context.Context) error {
	p.code = pairing.NewCode()
	again := *p.s.Pairing
	again.Code = secret.New(p.code.Text().Reveal())
	p.s.Pairing = &again
	if err := p.derive(); err != nil {
		return err
	}
	_, err := p.c.Store.Save(ctx, p.id, p.s)
	return err
}
