package owner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// Device acts as one agent, with the token of its slot directly at the broker. It only reads,
// because the slot belongs to the daemon, which alone renews the session.
type Device struct {
	cfg    Config
	broker Broker
	sess   session.Session
	info   store.Info
}

// OpenDevice loads an agent's slot. ErrNoAccount: there is no session in it.
func OpenDevice(ctx context.Context, cfg Config) (*Device, error) {
	sess, info, err := cfg.Slots.Load(ctx, cfg.ID)
	if errors.Is(err, store.ErrNoSession) {
		return nil, fmt.Errorf("%w: %w", ErrNoAccount, err)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", cfg.ID, err)
	}
	b, err := cfg.Dial(session.BrokerURL(cfg.BrokerURL, sess.Broker))
	if err != nil {
		return nil, err
	}
	return &Device{cfg: cfg, broker: b, sess: sess, info: info}, nil
}

// Who describes the agent's session, from the slot alone.
func (d *Device) Who() Who { return d.cfg.who(d.sess, d.info) }

// Wallet is the agent's own wallet.
func (d *Device) Wallet() wallet.Wallet { return d.sess.Wallet }

// Resolve asks the broker for the wallet of an identity; empty is the agent's own.
func (d *Device) Resolve(ctx context.Context, identity string) (wallet.Wallet, error) {
	if identity == "" {
		return d.sess.Wallet, nil
	}
	if err := CheckIdentity(identity); err != nil {
		return wallet.Wallet{}, err
	}
	if w, err := wallet.Parse(identity); err == nil {
		return w, nil
	}
	w, err := d.broker.Identity(ctx, identity)
	if protocol.HasCode(err, protocol.CodeNotFound) {
		return wallet.Wallet{}, notFound("agent %s", identity)
	}
	if err != nil {
		return wallet.Wallet{}, fmt.Errorf("find agent %s: %w", identity, err)
	}
	return w, nil
}

// List lists the credentials in scope. For another wallet of the same owner the broker answers
// 403 denied.
func (d *Device) List(ctx context.Context, w wallet.Wallet) ([]protocol.CredentialInfo, error) {
	m, err := d.manifest(ctx, w)
	if err != nil {
		return nil, err
	}
	return listed(m.Served()), nil
}

// Read asks the broker for the record, so that its decision is in the audit trail, and opens it
// with the device key if the owner's manifest lists it in scope.
func (d *Device) Read(ctx context.Context, w wallet.Wallet, service string) (secret.String, error) {
	if err := scope.CheckService(service); err != nil {
		return secret.String{}, err
	}
	var record protocol.SealedRecord
	fetch := d.call(ctx, func(token secret.String) (err error) {
		record, err = d.broker.Record(ctx, token, w, service)
		return err
	})
	if fetch != nil && !protocol.HasCode(fetch, protocol.CodeNotFound) {
		return secret.String{}, fmt.Errorf("fetch record %s: %w", service, fetch)
	}
	m, err := d.manifest(ctx, w)
	if err != nil {
		return secret.String{}, err
	}
	entry, ok := m.Entry(service)
	switch {
	case !ok:
		return secret.String{}, noCredential(service)
	case !m.Scope.Allows(service):
		return secret.String{}, fmt.Errorf("%s: %w", service, ErrScope)
	}
	return opened(record, fetch, entry, d.sess.DeviceKey)
}

func (d *Device) call(ctx context.Context, request func(token secret.String) error) error {
	return d.cfg.call(ctx, &d.sess, &d.info, request)
}

// manifest fetches the manifest of w and checks it as the daemon does: signed by the pinned
// owner, for this wallet and device, and not older than the one in the daemon's cache.
func (d *Device) manifest(ctx context.Context, w wallet.Wallet) (seal.Manifest, error) {
	var reply protocol.ManifestReply
	err := d.call(ctx, func(token secret.String) (err error) {
		reply, err = d.broker.Manifest(ctx, token, w)
		return err
	})
	if protocol.HasCode(err, protocol.CodeNotFound) {
		return seal.Manifest{}, notFound("agent %s", w.String())
	}
	if err != nil {
		return seal.Manifest{}, fmt.Errorf("fetch manifest: %w", err)
	}
	if d.sess.Owner == nil {
		return seal.Manifest{}, fmt.Errorf("manifest of %s: %w: this session does not know its owner", w.String(), seal.ErrManifest)
	}
	m, err := seal.Open(reply.SignedManifest, d.sess.Owner.SigningKey)
	if err != nil {
		return seal.Manifest{}, fmt.Errorf("manifest of %s: %w", w.String(), err)
	}
	if m.Owner != d.sess.Owner.Wallet || m.Wallet != w {
		return seal.Manifest{}, refused(w, "it is of another owner or agent")
	}
	if err := d.checkDevice(m); err != nil {
		return seal.Manifest{}, err
	}
	return m, d.checkAge(m, reply.Manifest)
}

func (d *Device) checkDevice(m seal.Manifest) error {
	key, err := seal.Recipient(d.sess.DeviceKey)
	if err != nil {
		return fmt.Errorf("device key: %w", err)
	}
	signKey, err := seal.SigningKey(d.sess.DeviceSignKey)
	if err != nil {
		return fmt.Errorf("device signing key: %w", err)
	}
	if m.DeviceKey != key || m.DeviceSignKey != signKey {
		return refused(m.Wallet, "it is for another device")
	}
	return nil
}

// checkAge compares m, whose bytes are raw, with the last manifest that the daemon of this slot
// accepted. A cache that cannot be read counts as none, as for the daemon. A cache that other
// users can write is an error of the store.
func (d *Device) checkAge(m seal.Manifest, raw []byte) error {
	data, err := d.cfg.Slots.ReadFile(d.cfg.ID, words.FileCache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", words.FileCache, err)
	}
	var cache protocol.SignedManifest
	var last seal.Manifest
	if strictjson.DecodeLenient(data, &cache) == nil {
		last, err = seal.Open(cache, d.sess.Owner.SigningKey)
	}
	switch {
	case err != nil || last.Wallet != m.Wallet:
		return nil // the cache is of another session
	case m.Revision < last.Revision:
		return refused(m.Wallet, fmt.Sprintf("revision %d is older than %d, which this machine has seen", m.Revision, last.Revision))
	case m.Revision == last.Revision && !bytes.Equal(raw, cache.Manifest):
		return refused(m.Wallet, fmt.Sprintf("another manifest has the same revision %d", m.Revision))
	}
	return nil
}
