package seal

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// DefaultOfflineTTL is how long a daemon may serve without its broker, in seconds.
const DefaultOfflineTTL = 24 * 3600

// MaxOfflineTTL is the longest lease that an owner may set: 366 days, in seconds.
const MaxOfflineTTL = 366 * 24 * 3600

// MaxEmails is how many e-mail addresses name one agent.
const MaxEmails = 8

// ErrManifest says that a manifest must not be used: its signature, form or content is
// wrong. The reader keeps the one that it has (condition manifest_refused).
var ErrManifest = errors.New("manifest refused")

var (
	aliasPattern = regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,62}\z`)
	hashPattern  = regexp.MustCompile(`\A[0-9a-f]{64}\z`)
)

// Manifest is the document that the owner signs for one agent. Every field is always present
// in the signed bytes, except NextOwnerKey.
type Manifest struct {
	V             int           `json:"v"` // 1
	Owner         wallet.Wallet `json:"owner"`
	Wallet        wallet.Wallet `json:"wallet"`
	Alias         string        `json:"alias"` // empty: none
	Emails        []string      `json:"emails"`
	Revision      uint64        `json:"revision"` // from 1, never reset
	DeviceKey     string        `json:"device_key"`
	DeviceSignKey string        `json:"device_sign_key"`
	Scope         scope.Scope   `json:"scope"`
	OfflineTTL    int64         `json:"offline_ttl"` // seconds; 0 = never serve offline
	Records       []Entry       `json:"records"`     // sorted by service, unique
	NextOwnerKey  string        `json:"next_owner_key,omitempty"`
}

// Entry lists one record, by the SHA-256 of its ciphertext.
type Entry struct {
	Service  string `json:"service"`
	Revision uint64 `json:"revision"`
	SHA256   string `json:"sha256"`
}

// Entry finds the record of a service.
func (m Manifest) Entry(service string) (Entry, bool) {
	for _, e := range m.Records {
		if e.Service == service {
			return e, true
		}
	}
	return Entry{}, false
}

// Served lists the entries in scope, in the manifest's order.
func (m Manifest) Served() []Entry {
	var out []Entry
	for _, e := range m.Records {
		if m.Scope.Allows(e.Service) {
			out = append(out, e)
		}
	}
	return out
}

func manifestText(raw []byte) []byte { return append([]byte("agentkeys manifest v1\n"), raw...) }

// Sign checks m, sorts its records and signs the bytes with the owner's signing seed.
func Sign(m Manifest, signingSeed secret.String) (protocol.SignedManifest, error) {
	m.V = 1
	m.Emails = append([]string{}, m.Emails...)
	m.Records = append([]Entry{}, m.Records...)
	slices.SortFunc(m.Records, func(a, b Entry) int { return strings.Compare(a.Service, b.Service) })
	if err := m.check(); err != nil {
		return protocol.SignedManifest{}, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return protocol.SignedManifest{}, fmt.Errorf("encode manifest: %w", err)
	}
	sig, err := session.Prove(signingSeed, manifestText(raw))
	if err != nil {
		return protocol.SignedManifest{}, fmt.Errorf("sign manifest: %w", err)
	}
	return protocol.SignedManifest{Manifest: raw, Signature: sig}, nil
}

// Open verifies the owner's signature over the bytes as they arrived, and only then parses
// them, strictly. Any defect is ErrManifest.
func Open(signed protocol.SignedManifest, ownerSigningKey string) (Manifest, error) {
	if err := session.CheckProof(ownerSigningKey, manifestText(signed.Manifest), signed.Signature); err != nil {
		return Manifest{}, fmt.Errorf("%w: the signature is not the owner's", ErrManifest)
	}
	return Parse(signed.Manifest)
}

// Parse reads the bytes without checking the signature. Only the broker uses it, whose
// reading of a manifest no client relies on; clients call Open.
func Parse(raw []byte) (Manifest, error) {
	var m Manifest
	if err := strictjson.Decode(raw, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

func (m Manifest) check() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrManifest, what) }
	switch {
	case m.V != 1:
		return bad(fmt.Sprintf("version %d is not known", m.V))
	case m.Owner.IsZero() || m.Wallet.IsZero():
		return bad("owner or wallet is missing")
	case m.Alias != "" && CheckAlias(m.Alias) != nil:
		return bad("alias is malformed")
	case m.Revision == 0 || m.Revision > 1<<53:
		return bad("revision is out of range")
	case CheckRecipient(m.DeviceKey) != nil:
		return bad("device_key is malformed")
	case CheckSigningKey(m.DeviceSignKey) != nil:
		return bad("device_sign_key is malformed")
	case m.NextOwnerKey != "" && CheckSigningKey(m.NextOwnerKey) != nil:
		return bad("next_owner_key is malformed")
	case m.OfflineTTL < 0 || m.OfflineTTL > MaxOfflineTTL:
		return bad("offline_ttl is out of range")
	case len(m.Records) > protocol.MaxRecords:
		return bad("too many records")
	case len(m.Emails) > MaxEmails:
		return bad("too many e-mail addresses")
	case slices.ContainsFunc(m.Emails, func(e string) bool { return CheckEmail(e) != nil }):
		return bad("emails are malformed")
	}
	return m.checkRecords()
}

func (m Manifest) checkRecords() error {
	last := ""
	for _, e := range m.Records {
		if scope.CheckService(e.Service) != nil || e.Revision == 0 || e.Revision > 1<<53 || !hashPattern.MatchString(e.SHA256) {
			return fmt.Errorf("%w: a record is malformed", ErrManifest)
		}
		if e.Service <= last {
			return fmt.Errorf("%w: records are not sorted and unique", ErrManifest)
		}
		last = e.Service
	}
	return nil
}

// Errors in what a person typed; both are usage errors.
var (
	ErrAlias = errors.New("an alias is 1 to 63 of a-z, 0-9 and '-', does not begin with '-' and is not a wallet")
	ErrEmail = errors.New("an e-mail address is one '@' between printable characters without blanks, at most 64 bytes")
)

// CheckAlias returns ErrAlias unless text is an alias. A wallet is no alias: otherwise a
// person who gives a wallet could get another agent that has it as its alias.
func CheckAlias(text string) error {
	if _, err := wallet.Parse(text); err == nil || !aliasPattern.MatchString(text) {
		return ErrAlias
	}
	return nil
}

// CheckEmail returns ErrEmail unless text is an e-mail address in lower case that differs
// from every alias and wallet and is safe to show.
func CheckEmail(text string) error {
	local, domain, ok := strings.Cut(text, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(text) > protocol.MaxText ||
		!utf8.ValidString(text) || text != strings.ToLower(text) ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' }) {
		return ErrEmail
	}
	return nil
}
