package agent

import (
	"bytes"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
)

// signed is a manifest that passed every check, with its bytes as they were signed.
type signed struct {
	seal.Manifest
	raw protocol.SignedManifest
}

// checkManifest decides whether the daemon believes a manifest: signed by the owner
// that was pinned at pairing, about this wallet and this device, and not older than
// the one it has (equal only with the same bytes), nor than the one that the session
// remembers where it has none. Any defect is seal.ErrManifest.
func checkManifest(raw protocol.SignedManifest, s session.Session, known *signed) (*signed, error) {
	refuse := func(what string) (*signed, error) {
		return nil, fmt.Errorf("%w: %s", seal.ErrManifest, what)
	}
	if s.Owner == nil || !s.CanServe() {
		return refuse("this session has no owner or no device keys")
	}
	m, err := seal.Open(raw, s.Owner.SigningKey)
	if err != nil {
		return nil, err
	}
	deviceKey, err := seal.Recipient(s.DeviceKey)
	if err != nil {
		return nil, err
	}
	signKey, err := seal.SigningKey(s.DeviceSignKey)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Owner != s.Owner.Wallet:
		return refuse("it names another owner")
	case m.Wallet != s.Wallet:
		return refuse("it is for another wallet")
	case m.DeviceKey != deviceKey || m.DeviceSignKey != signKey:
		return refuse("it is for another device")
	case m.Revision < s.ManifestRevision:
		return refuse(fmt.Sprintf("revision %d is older than %d, which the session remembers", m.Revision, s.ManifestRevision))
	case known != nil && m.Revision < known.Revision:
		return refuse(fmt.Sprintf("revision %d is older than %d", m.Revision, known.Revision))
	case known != nil && m.Revision == known.Revision && !bytes.Equal(raw.Manifest, known.raw.Manifest):
		return refuse(fmt.Sprintf("another manifest has the same revision %d", m.Revision))
	}
	return &signed{Manifest: m, raw: raw}, nil
}
