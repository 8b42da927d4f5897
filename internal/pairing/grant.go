package pairing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// ErrForged says that a grant was not made by someone who knows the code, or does not fit
// the request (`pairing_forged`). The daemon stops and never uses that code again.
var ErrForged = errors.New("the approval does not come from who typed the code: the broker is lying or the code was mistyped")

// Grant is the owner's answer; it travels as the bytes that Encode made.
type Grant struct {
	V                int           `json:"v"` // 1
	RequestSHA256    string        `json:"request_sha256"`
	Wallet           wallet.Wallet `json:"wallet"`
	Owner            wallet.Wallet `json:"owner"`
	OwnerSignKey     string        `json:"owner_sign_key"`
	OwnerRecipient   string        `json:"owner_recipient"`
	ManifestRevision uint64        `json:"manifest_revision"` // the daemon accepts no lower one
}

// RequestHash is the hash by which a grant refers to its request.
func RequestHash(request []byte) string {
	sum := sha256.Sum256(request)
	return hex.EncodeToString(sum[:])
}

// Encode gives the bytes that the grant's MAC covers.
func (g Grant) Encode() ([]byte, error) {
	g.V = 1
	if err := g.check(); err != nil {
		return nil, err
	}
	return json.Marshal(g)
}

func (g Grant) check() error {
	switch {
	case g.V != 1, !hashPattern.MatchString(g.RequestSHA256), g.Wallet.IsZero(), g.Owner.IsZero(), g.ManifestRevision == 0,
		seal.CheckSigningKey(g.OwnerSignKey) != nil, seal.CheckRecipient(g.OwnerRecipient) != nil:
		return fmt.Errorf("malformed grant: %w", ErrForged)
	}
	return nil
}

// CheckRequest returns ErrForged unless mac was made over request with the key of the code.
func CheckRequest(k Key, mac []byte) error {
	if !Equal(mac, k.RequestMAC()) {
		return ErrForged
	}
	return nil
}

// CheckGranted decides whether a daemon accepts an approval. It checks the grant's MAC, then
// what the grant says, then the manifest with the owner's key that the grant names. request
// holds the bytes that the daemon sent; recovering is the wallet to recover, zero for a new
// agent. Any defect is ErrForged.
func CheckGranted(k Key, request []byte, recovering wallet.Wallet, reply protocol.Granted) (Grant, seal.Manifest, error) {
	fail := func(what string) (Grant, seal.Manifest, error) {
		return Grant{}, seal.Manifest{}, fmt.Errorf("%w (%s)", ErrForged, what)
	}
	if !Equal(reply.GrantMAC, k.GrantMAC(reply.Grant)) {
		return fail("the grant's MAC is wrong")
	}
	var g Grant
	if strictjson.Decode(reply.Grant, &g) != nil || g.check() != nil {
		return fail("the grant is malformed")
	}
	if g.RequestSHA256 != RequestHash(request) {
		return fail("the grant is for another request")
	}
	if !recovering.IsZero() && g.Wallet != recovering {
		return fail("the grant is for another wallet")
	}
	m, err := seal.Open(reply.Manifest, g.OwnerSignKey)
	if err != nil {
		return fail("the manifest is not signed by the owner of the grant")
	}
	own, err := ParseRequest(request)
	if err != nil {
		return Grant{}, seal.Manifest{}, err
	}
	if m.Owner != g.Owner || m.Wallet != g.Wallet || m.DeviceKey != own.DeviceKey ||
		m.DeviceSignKey != own.DeviceSignKey || m.Revision < g.ManifestRevision {
		return fail("the manifest is for another device, wallet or owner")
	}
	return g, m, nil
}
