package owner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Agent is one agent: Manifest is what the owner signed, and was checked; Seen is what the
// broker says of its session, host and state.
type Agent struct {
	Manifest seal.Manifest
	Seen     protocol.Agent
}

// Agents lists the owner's agents. If one manifest fails the check, the result is
// seal.ErrManifest for the whole list, because such a broker must not be used.
func (o *Owner) Agents(ctx context.Context) ([]Agent, error) {
	agents, manifests := []Agent{}, []believed{}
	err := o.eachAgent(ctx, func(a protocol.Agent) error {
		m, err := o.check(a.Wallet, a.Manifest)
		if err != nil {
			return err
		}
		agents, manifests = append(agents, Agent{Manifest: m, Seen: a}), append(manifests, believed{m, a.Manifest})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return agents, o.remember(manifests...)
}

// ClockHeld reports whether the broker's clock jumped, so that no session lapses there until a
// person accepts it. It is false for a broker that does not report it.
func (o *Owner) ClockHeld(ctx context.Context) bool {
	info, err := o.broker.Info(ctx)
	return err == nil && info.ClockHeld
}

// eachAgent calls do for every agent that the broker lists, page by page. A broker that returns
// the same page again is an error, so that do is not called without end.
func (o *Owner) eachAgent(ctx context.Context, do func(protocol.Agent) error) error {
	listed := map[wallet.Wallet]bool{}
	for cursor, more := uint64(0), true; more; {
		var page protocol.AgentList
		err := o.call(ctx, func(token secret.String) (err error) {
			page, err = o.broker.Agents(ctx, token, cursor)
			return err
		})
		if err != nil {
			return fmt.Errorf("list agents: %w", err)
		}
		for _, a := range page.Agents {
			if listed[a.Wallet] {
				return refused(a.Wallet, "the broker lists it twice")
			}
			listed[a.Wallet] = true
			if err := do(a); err != nil {
				return err
			}
		}
		if more = page.Next != 0; more && (page.Next <= cursor || len(page.Agents) == 0) {
			return fmt.Errorf("list agents: %w: its pages have no end", protocol.ErrUnreachable)
		}
		cursor = page.Next
	}
	return nil
}

// Resolve finds the wallet that identity names in the owner's own manifests: a wallet in any
// case, an alias, an e-mail address, or empty for the owner's own wallet. ErrNotFound: no agent
// has that name. A wallet is not looked up; a later request finds out whether it exists.
func (o *Owner) Resolve(ctx context.Context, identity string) (wallet.Wallet, error) {
	if identity == "" {
		return o.sess.Wallet, nil
	}
	if strings.HasPrefix(strings.ToLower(identity), "0x") {
		return wallet.Parse(identity)
	}
	if err := CheckIdentity(identity); err != nil {
		return wallet.Wallet{}, err
	}
	agents, err := o.Agents(ctx)
	if err != nil {
		return wallet.Wallet{}, err
	}
	return find(agents, identity)
}

func find(agents []Agent, identity string) (wallet.Wallet, error) {
	var found []wallet.Wallet
	for _, a := range agents {
		if names(a.Manifest, identity) {
			found = append(found, a.Manifest.Wallet)
		}
	}
	switch len(found) {
	case 0:
		return wallet.Wallet{}, notFound("agent %s", identity)
	case 1:
		return found[0], nil
	}
	return wallet.Wallet{}, fmt.Errorf("%s names %d agents, give the wallet: %w", identity, len(found), ErrTaken)
}

func names(m seal.Manifest, identity string) bool {
	return m.Alias == identity || slices.Contains(m.Emails, strings.ToLower(identity))
}

// CheckIdentity accepts a wallet, an alias or an e-mail address; any other text is
// wallet.ErrFormat, wallet.ErrChecksum, seal.ErrAlias or seal.ErrEmail (usage).
func CheckIdentity(identity string) error {
	switch {
	case strings.HasPrefix(strings.ToLower(identity), "0x"):
		_, err := wallet.Parse(identity)
		return err
	case strings.Contains(identity, "@"):
		return seal.CheckEmail(strings.ToLower(identity))
	}
	return seal.CheckAlias(identity)
}

// Link is a change of an agent's names. Empty fields stay as they are.
type Link struct {
	Alias string
	Email string // added to the existing addresses
}

// Link gives an agent names by which people, `--agent` and `recover` find it. ErrTaken: another
// agent of this owner has that name.
func (o *Owner) Link(ctx context.Context, identity string, l Link) (seal.Manifest, error) {
	l.Email = strings.ToLower(l.Email)
	if err := l.check(); err != nil {
		return seal.Manifest{}, err
	}
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return seal.Manifest{}, err
	}
	if err := o.checkFree(ctx, w, l.Alias, l.Email); err != nil {
		return seal.Manifest{}, err
	}
	return o.change(ctx, w, func(d *draft) error {
		if l.Alias != "" {
			d.m.Alias = l.Alias
		}
		if l.Email != "" && !slices.Contains(d.m.Emails, l.Email) {
			if len(d.m.Emails) >= seal.MaxEmails {
				return ErrEmails
			}
			d.m.Emails = append(slices.Clone(d.m.Emails), l.Email)
		}
		return nil
	})
}

func (l Link) check() error {
	if l.Alias != "" {
		if err := seal.CheckAlias(l.Alias); err != nil {
			return err
		}
	}
	if l.Email != "" {
		return seal.CheckEmail(l.Email)
	}
	return nil
}

// checkFree returns ErrTaken if a name belongs to an agent other than w.
func (o *Owner) checkFree(ctx context.Context, w wallet.Wallet, wanted ...string) error {
	agents, err := o.Agents(ctx)
	if err != nil {
		return err
	}
	for _, name := range wanted {
		other, err := find(agents, name)
		if name != "" && !errors.Is(err, ErrNotFound) && other != w {
			return fmt.Errorf("%s names another agent: %w", name, ErrTaken)
		}
	}
	return nil
}

// Revoke ends the session of an agent; its daemon drops all credentials at once. Manifest and
// records stay for `recover`. That the device must get nothing new is written down before the
// broker is asked. The note is removed only if the broker itself refuses, because a request
// whose answer did not arrive may have succeeded.
func (o *Owner) Revoke(ctx context.Context, identity string) (wallet.Wallet, error) {
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return w, err
	}
	if w == o.sess.Wallet {
		return w, notFound("agent %s", w.String())
	}
	before := o.seen(w).Revoked
	if err := o.setRevoked(w, true); err != nil {
		return w, err
	}
	err = o.endAgent(ctx, w, "revoke", o.broker.Revoke)
	var p *protocol.Problem
	if errors.As(err, &p) || errors.Is(err, ErrNotFound) {
		return w, errors.Join(err, o.setRevoked(w, before))
	}
	return w, err
}

// Teardown ends an agent for good: session, manifest and records. It is written down like a
// revocation, so that a restored broker is told of it again.
func (o *Owner) Teardown(ctx context.Context, identity string) (wallet.Wallet, error) {
	w, err := o.Resolve(ctx, identity)
	if err != nil {
		return w, err
	}
	if w == o.sess.Wallet {
		return w, notFound("agent %s", w.String())
	}
	before := o.seen(w).TornDown
	if err := o.setTornDown(w, true); err != nil {
		return w, err
	}
	err = o.endAgent(ctx, w, "tear down", o.broker.Teardown)
	var p *protocol.Problem
	if errors.As(err, &p) || errors.Is(err, ErrNotFound) {
		return w, errors.Join(err, o.setTornDown(w, before))
	}
	if err == nil {
		err = o.note(func(k *known) { k.keepTombstone(w.String()) })
	}
	return w, err
}

func (o *Owner) endAgent(ctx context.Context, w wallet.Wallet, verb string, end func(context.Context, secret.String, wallet.Wallet) error) error {
	err := o.call(ctx, func(token secret.String) error { return end(ctx, token, w) })
	if protocol.HasCode(err, protocol.CodeNotFound) {
		return notFound("agent %s", w.String())
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, w.String(), err)
	}
	return nil
}

// Reopen reactivates lapsed agents: the one that identity names, or with an empty identity all
// that lapsed. It returns those that it reopened, also together with an error.
func (o *Owner) Reopen(ctx context.Context, identity string) ([]wallet.Wallet, error) {
	var lapsed []wallet.Wallet
	if identity == "" {
		agents, err := o.Agents(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range agents {
			if a.Seen.State == protocol.AgentLapsed {
				lapsed = append(lapsed, a.Manifest.Wallet)
			}
		}
	} else {
		w, err := o.Resolve(ctx, identity)
		if err != nil {
			return nil, err
		}
		lapsed = []wallet.Wallet{w}
	}
	for i, w := range lapsed {
		if err := o.reopen(ctx, w); err != nil {
			return lapsed[:i], err
		}
	}
	return lapsed, nil
}

// reopen widens access, so the owner's signing key proves it.
func (o *Owner) reopen(ctx context.Context, w wallet.Wallet) error {
	return o.endAgent(ctx, w, "reopen", func(ctx context.Context, token secret.String, w wallet.Wallet) error {
		proof, err := session.Prove(o.sess.SigningSeed, session.ReopenText(o.sess.Wallet, w, session.TokenHash(token)))
		if err != nil {
			return err
		}
		return o.broker.Reopen(ctx, token, w, protocol.Reopen{Proof: proof})
	})
}
