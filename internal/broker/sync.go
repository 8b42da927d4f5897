package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// Sync returns an agent's manifest as soon as it differs from the one that etag names; known is
// false if nothing changed during the whole wait. It also returns at once if the session ends.
func (b *Broker) Sync(ctx context.Context, c Credentials, etag string, wait time.Duration) (out protocol.Sync, newETag string, known bool, err error) {
	who, err := b.authenticate(ctx, c)
	if err != nil {
		return out, "", false, err
	}
	known, err = b.poll(ctx, who.Wallet.String(), wait, func() (bool, error) {
		err := b.asAgent(ctx, c, func(tx Tx, p principal) error {
			a, err := b.own(tx, p, p.Wallet)
			if err != nil {
				return err
			}
			out = protocol.Sync{SignedManifest: signedOf(a), Revision: a.Revision}
			newETag = etagOf(out.SignedManifest)
			return nil
		})
		return newETag != etag, err
	})
	return out, newETag, known, err
}

// etagOf identifies a manifest and, through it, every record that it lists.
func etagOf(m protocol.SignedManifest) string {
	sum := sha256.Sum256(append(append([]byte{}, m.Manifest...), m.Signature...))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}
