package brokertest

import (
	"context"
	"errors"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Address is the address that the requests of actors come from.
const Address = "192.0.2.7"

// Owner has an account at the broker.
type Owner struct {
	Wallet   wallet.Wallet
	Token    secret.String
	Identity secret.String // age seed
	Signing  secret.String // Ed25519 seed
}

// NewOwner makes keys; it has no account yet.
func NewOwner() *Owner {
	return &Owner{Wallet: wallet.New(), Token: session.NewToken(), Identity: seal.NewSeed(), Signing: seal.NewSeed()}
}

// Credentials are the owner's bearer token.
func (o *Owner) Credentials() broker.Credentials { return As(o.Token) }

// As is a bearer token in the form that the rules take.
func As(token secret.String) broker.Credentials {
	return broker.Credentials{TokenSHA256: session.TokenHash(token), Address: Address}
}

// Must gives v, or ends the test.
func Must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Account is the request body that creates the owner's account.
func (o *Owner) Account(t testing.TB) protocol.Account {
	t.Helper()
	a := protocol.Account{
		Wallet: o.Wallet, TokenSHA256: session.TokenHash(o.Token),
		Recipient: Must(seal.Recipient(o.Identity))(t), SigningKey: Must(seal.SigningKey(o.Signing))(t),
	}
	text := session.AccountText(a.Wallet, a.TokenSHA256, a.Recipient, a.SigningKey)
	a.Signature = Must(session.Prove(o.Signing, text))(t)
	return a
}

// Owner creates an account.
func (s *Server) Owner() *Owner {
	s.t.Helper()
	o := NewOwner()
	if _, err := s.Broker.CreateAccount(context.Background(), As(s.SetupToken()), o.Account(s.t)); err != nil {
		s.t.Fatal(err)
	}
	return o
}

// Device is a board: its token and keys, and after its approval the wallet of its agent.
type Device struct {
	Wallet   wallet.Wallet
	Token    secret.String
	Key      secret.String // age seed
	Sign     secret.String // Ed25519 seed
	Lookup   string
	Kind     string
	Identity string
	Request  []byte
	MAC      []byte
	Manifest seal.Manifest
}

// NewDevice makes a board that wants to pair, or to recover identity if it is not "".
func NewDevice(t testing.TB, identity string) *Device {
	t.Helper()
	d := &Device{
		Token: session.NewToken(), Key: seal.NewSeed(), Sign: seal.NewSeed(), Kind: pairing.KindPair,
		Identity: identity, Lookup: pairing.NewCode().Lookup(), MAC: make([]byte, 32),
	}
	if identity != "" {
		d.Kind = pairing.KindRecover
	}
	r := pairing.Request{
		Kind: d.Kind, TokenSHA256: session.TokenHash(d.Token), DeviceKey: Must(seal.Recipient(d.Key))(t),
		DeviceSignKey: Must(seal.SigningKey(d.Sign))(t), RequestedScope: scope.All(), Identity: identity, Host: "pi",
	}
	d.Request = Must(r.Encode())(t)
	return d
}

// Credentials are the device's bearer token.
func (d *Device) Credentials() broker.Credentials { return As(d.Token) }

// End is the request body that ends its session.
func (d *Device) End(t testing.TB) protocol.EndSession {
	t.Helper()
	return protocol.EndSession{Proof: Must(session.Prove(d.Sign, session.EndText(d.Wallet, session.TokenHash(d.Token))))(t)}
}

// Opening is the request body that opens its pairing.
func (d *Device) Opening() protocol.OpenPairing {
	return protocol.OpenPairing{Lookup: d.Lookup, TokenSHA256: session.TokenHash(d.Token), Request: d.Request, MAC: d.MAC}
}

// Draft is the manifest that o would sign for d.
func (o *Owner) Draft(t testing.TB, d *Device, w wallet.Wallet, revision uint64, sc scope.Scope) seal.Manifest {
	t.Helper()
	return seal.Manifest{
		Owner: o.Wallet, Wallet: w, Revision: revision, Scope: sc, OfflineTTL: seal.DefaultOfflineTTL, Emails: []string{},
		DeviceKey: Must(seal.Recipient(d.Key))(t), DeviceSignKey: Must(seal.SigningKey(d.Sign))(t), Records: []seal.Entry{},
	}
}

// Approval is the request body that approves d, with m and the records that it lists.
func (o *Owner) Approval(t testing.TB, d *Device, m seal.Manifest, records ...protocol.SealedRecord) protocol.ApprovePairing {
	t.Helper()
	for _, r := range records {
		m.Records = append(m.Records, seal.EntryOf(r))
	}
	g := pairing.Grant{
		RequestSHA256: pairing.RequestHash(d.Request), Wallet: m.Wallet, Owner: o.Wallet, ManifestRevision: m.Revision,
		OwnerSignKey: Must(seal.SigningKey(o.Signing))(t), OwnerRecipient: Must(seal.Recipient(o.Identity))(t),
	}
	return protocol.ApprovePairing{
		Lookup: d.Lookup, TokenSHA256: session.TokenHash(d.Token), Grant: Must(g.Encode())(t), GrantMAC: make([]byte, 32),
		Manifest: Must(seal.Sign(m, o.Signing))(t), Records: append([]protocol.SealedRecord{}, records...),
	}
}

// Put is the request body with a changed manifest and the new records in it.
func (o *Owner) Put(t testing.TB, m seal.Manifest, records ...protocol.SealedRecord) protocol.PutManifest {
	t.Helper()
	for _, r := range records {
		m.Records = append(m.Records, seal.EntryOf(r))
	}
	return protocol.PutManifest{Manifest: Must(seal.Sign(m, o.Signing))(t), Records: append([]protocol.SealedRecord{}, records...)}
}

// Sealed is a record for d and its owner.
func (o *Owner) Sealed(t testing.TB, d *Device, service string, revision uint64, value string) protocol.SealedRecord {
	t.Helper()
	return Must(seal.SealRecord(service, revision, secret.New(value), Must(seal.Recipient(d.Key))(t), Must(seal.Recipient(o.Identity))(t)))(t)
}

// Agent pairs a new device of o with that scope and one record for each service.
func (s *Server) Agent(o *Owner, sc scope.Scope, services ...string) *Device {
	s.t.Helper()
	d := NewDevice(s.t, "")
	s.Open(d)
	d.Wallet = wallet.New()
	var records []protocol.SealedRecord
	for _, name := range services {
		records = append(records, o.Sealed(s.t, d, name, 1, "value of "+name))
	}
	approval := o.Approval(s.t, d, o.Draft(s.t, d, d.Wallet, 1, sc), records...)
	if _, err := s.Broker.ApprovePairing(context.Background(), o.Credentials(), approval); err != nil {
		s.t.Fatal(err)
	}
	d.Manifest = Must(seal.Parse(approval.Manifest.Manifest))(s.t)
	return d
}

// Open sends d's request, with another lookup if another board has that one.
func (s *Server) Open(d *Device) {
	s.t.Helper()
	for {
		_, err := s.Broker.OpenPairing(context.Background(), d.Credentials(), d.Opening())
		if protocol.HasCode(err, protocol.CodeConflict) {
			d.Lookup = pairing.NewCode().Lookup()
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		return
	}
}

// OwnerResumes opens a session for o with its signing key, which replaces any other.
func (s *Server) OwnerResumes(o *Owner) error {
	s.t.Helper()
	ctx := context.Background()
	_, err := s.Broker.Session(ctx, As(session.NewToken()))
	var p *protocol.Problem
	if !errors.As(err, &p) {
		return err
	}
	next := session.NewToken()
	hash := session.TokenHash(next)
	proof := Must(session.Prove(o.Signing, session.ResumeText(o.Wallet, hash, p.Challenge)))(s.t)
	_, err = s.Broker.Resume(ctx, As(next), protocol.Resume{Wallet: o.Wallet, NextSHA256: hash, Challenge: p.Challenge, Proof: proof})
	if err == nil {
		o.Token = next
	}
	return err
}

// OpenAccount opens o's account in the current epoch, with that key.
func (s *Server) OpenAccount(o *Owner, signing secret.String) error {
	s.t.Helper()
	epoch, c := s.Broker.Info().Epoch, o.Credentials()
	c.Epoch = epoch
	proof := Must(session.Prove(signing, session.OpenText(o.Wallet, epoch, c.TokenSHA256)))(s.t)
	return s.Broker.OpenAccount(context.Background(), c, protocol.OpenAccount{Epoch: epoch, Proof: proof})
}
