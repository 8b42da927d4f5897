package owner

import (
	"bytes"
	"cmp"
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
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	// KnownLimit is the size of manifests.json, in bytes, up to which new entries are added:
	// about 60,000 agents of 4 KiB each. From KnownWarn on the owner is warned.
	KnownLimit = 256 << 20
	// KnownWarn is the size from which the owner is warned that the file nears its limit.
	KnownWarn = KnownLimit / 4 * 3
	// KnownFileLimit is the size that the store must accept, because revocations are written
	// even to a full file.
	KnownFileLimit = KnownLimit + 16<<20
)

// known is what this machine has seen, so that the broker cannot restore an old state:
// `<slot>/manifests.json`. It holds names and numbers, no keys and no values.
type known struct {
	Version int                    `json:"version"`         // 1
	Wallets map[string]knownWallet `json:"wallets"`         // by canonical wallet
	Audit   protocol.AuditHead     `json:"audit,omitzero"`  // written by versions without words.FileAudit
	Epoch   string                 `json:"epoch,omitempty"` // of the broker when the account was last open; empty: not known
}

// knownWallet is the highest that was seen of one wallet.
type knownWallet struct {
	Revision uint64            `json:"revision"`
	Records  map[string]uint64 `json:"records"` // highest revision of each service, removed ones too
	Revoked  bool              `json:"revoked"` // this owner ended its session: nothing new is sealed to its device

	TornDown bool                     `json:"torn_down,omitempty"`
	Manifest *protocol.SignedManifest `json:"manifest,omitempty"` // of Revision; nil: written by a version that did not keep it
}

// readKnown reads the file. A missing file is an empty one. A corrupt one is an error, because
// starting afresh would lose the protection.
func readKnown(slots Slots, id session.ID) (known, error) {
	data, err := slots.ReadFile(id, words.FileManifests)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return known{}, fmt.Errorf("read %s: %w", words.FileManifests, err)
	}
	return parseKnown(data)
}

// parseKnown parses the file; nil: there is none.
func parseKnown(data []byte) (known, error) {
	k := known{Version: 1, Wallets: map[string]knownWallet{}}
	if data == nil {
		return k, nil
	}
	if err := strictjson.DecodeOwn(data, &k); err != nil {
		return known{}, fmt.Errorf("read %s: %w", words.FileManifests, err)
	}
	if k.Version != 1 || k.Wallets == nil {
		return known{}, fmt.Errorf("read %s: version %d is not known to this program", words.FileManifests, k.Version)
	}
	return k, nil
}

// update changes the file as it is on disk now, under the slot's lock, so that a revocation that
// another command writes at the same time is kept.
func (o *Owner) update(change func(*known)) error {
	return o.updateWithin(KnownFileLimit, change)
}

// updateWithin does not let the file grow beyond limit bytes.
func (o *Owner) updateWithin(limit int, change func(*known)) error {
	changed, size := false, 0
	err := o.cfg.Slots.UpdateFile(o.cfg.ID, words.FileManifests, func(old []byte) ([]byte, error) {
		k, err := parseKnown(old)
		if err != nil {
			return nil, err
		}
		after, err := k.encode(change)
		if err != nil {
			return nil, err
		}
		o.known, changed, size = k, true, len(after)
		switch {
		case bytes.Equal(after, old):
			return nil, nil
		case len(after) > limit && len(after) > len(old):
			return nil, fmt.Errorf("%d bytes: %w", len(after), store.ErrTooBig)
		}
		return after, nil
	})
	o.warnOfSize(size)
	switch {
	case err == nil:
		return nil
	case !changed && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrBusy):
		return err
	case !changed:
		change(&o.known)
	}
	return fmt.Errorf("write %s: %w: %w", words.FileManifests, errNotKept, err)
}

// warnOfSize warns the owner that the file nears its limit, while tearing down agents still
// helps: only the revision of a torn-down agent is kept.
func (o *Owner) warnOfSize(size int) {
	if size < o.limit()/4*3 || o.warned || o.cfg.Warn == nil {
		return
	}
	o.warned = true
	o.cfg.Warn(fmt.Sprintf("%s is %d MiB of at most %d: tear down the agents that are not used any more (agentkeys teardown IDENTITY), or open a second account for new ones",
		words.FileManifests, size>>20, o.limit()>>20))
}

func (o *Owner) limit() int { return cmp.Or(o.cfg.KnownLimit, KnownLimit) }

// CheckKnown returns the error that every command of the owner would have because of the file's
// content.
func CheckKnown(data []byte) error {
	_, err := parseKnown(data)
	return err
}

func (k *known) encode(change func(*known)) ([]byte, error) {
	change(k)
	data, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", words.FileManifests, err)
	}
	return data, nil
}

// errNotKept: the card is full or read-only. The change is in memory only.
var errNotKept = errors.New("not kept")

// note is update for what was only seen: if the card cannot be written, the answer of the broker
// is used nevertheless.
func (o *Owner) note(change func(*known)) error {
	err := o.updateWithin(o.limit(), change)
	if errors.Is(err, errNotKept) {
		o.cfg.Log.Warn("what was seen is not kept", "error", err)
		return nil
	}
	return err
}

// believed is a manifest that was checked, with its bytes.
type believed struct {
	manifest seal.Manifest
	signed   protocol.SignedManifest
}

// remember writes down manifests that were checked. The newest is kept whole, in case the broker
// loses it.
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

// setRevoked writes down that the device of w must get nothing new, or may again.
func (o *Owner) setRevoked(w wallet.Wallet, revoked bool) error {
	return o.update(func(k *known) { k.change(w, func(kw *knownWallet) { kw.Revoked = revoked }) })
}

func (o *Owner) setTornDown(w wallet.Wallet, gone bool) error {
	return o.update(func(k *known) { k.change(w, func(kw *knownWallet) { kw.TornDown = gone }) })
}

// keepTombstone reduces a torn-down wallet to what protects from a hostile or restored broker:
// that it was torn down, and its highest revision. It changes no other wallet.
func (k *known) keepTombstone(w string) {
	if kw := k.Wallets[w]; kw.TornDown && (kw.Manifest != nil || len(kw.Records) > 0) {
		k.Wallets[w] = knownWallet{Revision: kw.Revision, Records: map[string]uint64{}, Revoked: kw.Revoked, TornDown: true}
	}
}

func (o *Owner) seen(w wallet.Wallet) knownWallet { return o.known.Wallets[w.String()] }
