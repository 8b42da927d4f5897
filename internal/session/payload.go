package session

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// ErrPayload is wrapped by every error of Decode. No error repeats the payload.
var ErrPayload = errors.New("not a session payload")

// payload is the compact JSON of a slot. Only here a scope is written as null for all, for
// compatibility with earlier versions, and it must be present
// (docs/spec/architecture.md#scopes-in-documents).
type payload struct {
	Token      string          `json:"token"`
	Wallet     string          `json:"wallet"`
	Scope      json.RawMessage `json:"scope"`
	CreatedAt  int64           `json:"created_at"`
	TTLSeconds int64           `json:"ttl_seconds"`

	Broker        string          `json:"broker,omitempty"`
	Owner         *Owner          `json:"owner,omitempty"`
	DeviceKey     string          `json:"device_key,omitempty"`
	DeviceSignKey string          `json:"device_sign_key,omitempty"`
	Next          string          `json:"next,omitempty"`
	Ended         *Ended          `json:"ended,omitempty"`
	Revision      uint64          `json:"manifest_revision,omitempty"`
	Identity      string          `json:"identity,omitempty"`
	SigningSeed   string          `json:"signing_seed,omitempty"`
	Pairing       *pairingPayload `json:"pairing,omitempty"`
}

type pairingPayload struct {
	Code      string `json:"code"`
	Kind      string `json:"kind"`
	Request   string `json:"request"` // base64url
	StartedAt int64  `json:"started_at"`
	Resumed   int    `json:"resumed"`
}

// Encode gives the compact JSON that a slot stores. It holds every secret of the session
// unencrypted; the caller passes it to the store and to nothing else.
func (s Session) Encode() ([]byte, error) {
	p := payload{
		Token: s.Token.Reveal(), CreatedAt: s.CreatedAt, TTLSeconds: s.TTLSeconds,
		Broker: s.Broker, Owner: s.Owner, Next: s.Next.Reveal(), Ended: s.Ended, Revision: s.ManifestRevision,
		DeviceKey: s.DeviceKey.Reveal(), DeviceSignKey: s.DeviceSignKey.Reveal(),
		Identity: s.Identity.Reveal(), SigningSeed: s.SigningSeed.Reveal(),
	}
	if !s.Wallet.IsZero() {
		p.Wallet = s.Wallet.String()
	}
	if g := s.Pairing; g != nil {
		p.Pairing = &pairingPayload{
			Code: g.Code.Reveal(), Kind: g.Kind, StartedAt: g.StartedAt, Resumed: g.Resumed,
			Request: base64.RawURLEncoding.EncodeToString(g.Request),
		}
	}
	p.Scope = json.RawMessage("null")
	if !s.Scope.IsAll() {
		var err error
		if p.Scope, err = json.Marshal(s.Scope); err != nil {
			return nil, fmt.Errorf("encode session: %w", err)
		}
	}
	return json.Marshal(p)
}

// Decode reads a payload strictly: repeated, case-varied, unknown or missing keys and a
// malformed token, wallet or seed are ErrPayload.
func Decode(data []byte) (Session, error) {
	var p payload
	if err := strictjson.Decode(data, &p); err != nil {
		return Session{}, fmt.Errorf("%w: %w", ErrPayload, redactJSON(err))
	}
	s, err := p.session()
	if err != nil {
		return Session{}, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return s, nil
}

// redactJSON replaces the type errors of encoding/json, which quote the input.
func redactJSON(err error) error {
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &typeErr) {
		return fmt.Errorf("key %q has the wrong type", typeErr.Field)
	}
	return err
}

func (p payload) session() (Session, error) {
	s := Session{
		Token: secret.New(p.Token), CreatedAt: p.CreatedAt, TTLSeconds: p.TTLSeconds,
		Broker: p.Broker, Owner: p.Owner, Next: secret.New(p.Next), Ended: p.Ended, ManifestRevision: p.Revision,
		DeviceKey: secret.New(p.DeviceKey), DeviceSignKey: secret.New(p.DeviceSignKey),
		Identity: secret.New(p.Identity), SigningSeed: secret.New(p.SigningSeed),
	}
	var err error
	if s.Scope, err = decodeScope(p.Scope); err != nil {
		return Session{}, err
	}
	if p.Wallet != "" || p.Pairing == nil {
		if s.Wallet, err = wallet.Parse(p.Wallet); err != nil {
			return Session{}, errors.New("wallet is malformed")
		}
	}
	if s.Pairing, err = p.Pairing.pairing(); err != nil {
		return Session{}, err
	}
	return s, p.check()
}

func decodeScope(raw json.RawMessage) (scope.Scope, error) {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return scope.All(), nil
	}
	var s scope.Scope
	err := json.Unmarshal(raw, &s)
	return s, err
}

// check validates the texts. The token of an adopted session may have another form than ours.
func (p payload) check() error {
	if p.Token == "" {
		return errors.New("token is empty")
	}
	if p.TTLSeconds < 0 || p.CreatedAt < 0 || p.TTLSeconds > 1<<40 || p.CreatedAt > 1<<40 {
		return errors.New("created_at or ttl_seconds is out of range")
	}
	if p.Next != "" && CheckToken(p.Next) != nil {
		return errors.New("next is malformed")
	}
	for name, seed := range map[string]string{
		"device_key": p.DeviceKey, "device_sign_key": p.DeviceSignKey,
		"identity": p.Identity, "signing_seed": p.SigningSeed,
	} {
		if b, err := base64.RawURLEncoding.Strict().DecodeString(seed); err != nil || (len(b) != 32 && seed != "") {
			return fmt.Errorf("%s is malformed", name)
		}
	}
	return nil
}

func (p *pairingPayload) pairing() (*Pairing, error) {
	if p == nil {
		return nil, nil
	}
	request, err := base64.RawURLEncoding.Strict().DecodeString(p.Request)
	if err != nil {
		return nil, errors.New("pairing request is malformed")
	}
	return &Pairing{Code: secret.New(p.Code), Kind: p.Kind, Request: request, StartedAt: p.StartedAt, Resumed: p.Resumed}, nil
}
