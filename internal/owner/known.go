package owner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const knownFile = "manifests.json"

// known is what this machine has seen, so that the broker cannot bring back an old
// state: `<slot>/manifests.json`. It holds names and numbers, no keys and no values.
type known struct {
	Version int                    `json:"version"`         // 1
	Wallets map[string]knownWallet `json:"wallets"`         // by canonical wallet
	Audit   protocol.AuditHead     `json:"audit"`           // number 0: none seen
	Epoch   string                 `json:"epoch,omitempty"` // of the broker when the account was last open; empty: not known
}

// knownWallet is the highest that was seen of one wallet.
type knownWallet struct {
	Revision uint64            `json:"revision"`
	Records  map[string]uint64 `json:"records"` // highest revision of each service, removed ones too
	Revoked  bool              `json:"revoked"` // this owner ended its session: nothing is sealed to its device any more

	TornDown bool                     `json:"torn_down,omitempty"`
	Manifest *protocol.SignedManifest `json:"manifest,omitempty"` // of Revision; nil: from before it was kept
}

// readKnown reads the file; none is an empty one, a corrupt one is store.ErrCorrupt's
// like: an error, since starting afresh would forget what protects.
func readKnown(slots Slots, id session.ID) (known, error) {
	data, err := slots.ReadFile(id, knownFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return known{}, fmt.Errorf("read %s: %w", knownFile, err)
	}
	return parseKnown(data)
}

// parseKnown takes nil for a file that is not there.
func parseKnown(data []byte) (known, error) {
	k := known{Version: 1, Wallets: map[string]knownWallet{}}
	if data == nil {
		return k, nil
	}
	if err := strictjson.Decode(data, &k); err != nil {
		return known{}, fmt.Errorf("read %s: %w", knownFile, err)
	}
	if k.Version != 1 || k.Wallets == nil {
		return known{}, fmt.Errorf("read %s: version %d is not known to this program", knownFile, k.Version)
	}
	return k, nil
}

// update changes the file as it is on disk now, under the slot's lock: a revocation that
// another command notes at the same time stays.
func (o *Owner) update(change func(*known)) error {
	changed := false
	err := o.cfg.Slots.UpdateFile(o.cfg.ID, knownFile, func(old []byte) ([]byte, error) {
		k, err := parseKnown(old)
		if err != nil {
			return nil, err
		}
		after, err := k.encode(change)
		if err != nil {
			return nil, err
		}
		o.known, changed = k, true
		if bytes.Equal(after, old) {
			return nil, nil
		}
		return after, nil
	})
	switch {
	case err == nil:
		return nil
	case !changed && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrBusy):
		return err
	case !changed:
		change(&o.known)
	}
	return fmt.Errorf("write %s: %w: %w", knownFile, errNotKept, err)
}

func (k *known) encode(change func(*known)) ([]byte, error) {
	change(k)
	data, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", knownFile, err)
	}
	return data, nil
}

// errNotKept: the card is full or read-only. Memory has the change.
var errNotKept = errors.New("not kept")

// note is update for what was only seen: a card that cannot be written does not take
// away what the broker said or did.
func (o *Owner) note(change func(*known)) error {
	err := o.update(change)
	if errors.Is(err, errNotKept) {
		o.cfg.Log.Warn("what was seen is not kept", "error", err)
		return nil
	}
	return err
}

// believed is a manifest that was checked, and the bytes that were.
type believed struct {
	manifest seal.Manifest
	signed   protocol.SignedManifest
}

// remember notes manifests that were checked. The newest is kept whole: it is the
// owner's last word, should the broker come back without it.
func (o *Owner) remember(all ...believed) error {
	return o.note(func(k *known) {
		for _, b := range all {
			m := b.manifest
			k.change(m.Wallet, func(kw *knownWallet) {
				if m.Revision >= kw.Revision {
					kw.Revision, kw.Manifest = m.Revision, &b.signed
				}
				for _, e := range m.Records {
					kw.Records[e.Service] = max(kw.Records[e.Service], e.Revision)
				}
			})
		}
	})
}

func (k *known) change(w wallet.Wallet, edit func(*knownWallet)) {
	kw := k.Wallets[w.String()]
	if kw.Records == nil {
		kw.Records = map[string]uint64{}
	}
	edit(&kw)
	k.Wallets[w.String()] = kw
}

// setRevoked notes that the device of w must get nothing new, or may again.
func (o *Owner) setRevoked(w wallet.Wallet, revoked bool) error {
	return o.update(func(k *known) { k.change(w, func(kw *knownWallet) { kw.Revoked = revoked }) })
}

func (o *Owner) setTornDown(w wallet.Wallet, gone bool) error {
	return o.update(func(k *known) { k.change(w, func(kw *knownWallet) { kw.TornDown = gone }) })
}

func (o *Owner) seen(w wallet.Wallet) knownWallet { return o.known.Wallets[w.String()] }
