package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	headVersion = 1
	headLimit   = 64 << 10
)

// head is session.json: what is known of the slot, and the payload when it is in
// the file. A head with generation 0 is the announcement of a first save. The fields are
// described in docs/spec/architecture.md#head-file.
type head struct {
	Version       int             `json:"version"`
	ID            string          `json:"id"`
	Generation    uint64          `json:"generation"`
	Pending       uint64          `json:"pending"` // generation that was announced to be put into the keychain; 0 = none
	PendingSHA256 string          `json:"pending_sha256,omitempty"`
	Where         words.Backend   `json:"where"`
	Tombstone     bool            `json:"tombstone"`
	Payload       json.RawMessage `json:"payload,omitempty"`
	SHA256        string          `json:"sha256"`
	Keychain      *keychainNote   `json:"keychain,omitempty"`

	Promoted        []string `json:"promoted,omitempty"`         // pending slots whose session this slot has taken
	PendingPromoted string   `json:"pending_promoted,omitempty"` // the pending slot that the value of Pending is from
}

// keychainNote is in the head as long as the keychain may hold anything of this slot.
type keychainNote struct {
	Provider   string `json:"provider"`
	VerifiedAt int64  `json:"verified_at"` // Unix seconds of the last read-back; 0 = never
	InDoubt    *fence `json:"in_doubt,omitempty"`
	Removed    *fence `json:"removed,omitempty"` // a delete after which one look found nothing; see recheckDelete
}

var (
	errHeadEmpty   = errors.New("empty or filled with NUL")
	errHeadJSON    = errors.New("not the JSON of a session head")
	errHeadForeign = errors.New("belongs to another slot")
	errHeadDigest  = errors.New("payload and sha256 do not match")
	errHeadRules   = errors.New("fields contradict each other")
)

// parseHead reads a head strictly. It returns ErrNewer for a version that this program
// does not know, and for a sound head with keys that it does not know; otherwise
// ErrCorrupt. No error repeats the content.
func parseHead(data []byte, id session.ID) (head, error) {
	h, err := decodeHead(data)
	var lenient head
	if errors.Is(err, errHeadJSON) && strictjson.DecodeLenient(data, &lenient) == nil && lenient.check(id) == nil {
		err = fmt.Errorf("more in it than this program knows; if no newer one wrote it, move it away and recover: %w", ErrNewer)
	}
	if errors.Is(err, ErrNewer) {
		return head{}, err
	}
	if err == nil {
		err = h.check(id)
	}
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return h, nil
}

func decodeHead(data []byte) (head, error) {
	if len(bytes.Trim(data, "\x00 \t\r\n")) == 0 {
		return head{}, errHeadEmpty
	}
	var h head
	err := strictjson.Decode(data, &h)
	version := h.Version
	if err != nil {
		var probe struct {
			Version int `json:"version"`
		}
		if json.Unmarshal(data, &probe) == nil {
			version = probe.Version
		}
	}
	switch {
	case version > headVersion:
		return head{}, fmt.Errorf("head version %d, this program knows %d: %w", version, headVersion, ErrNewer)
	case err != nil: // its text may quote the file
		return head{}, errHeadJSON
	}
	return h, nil
}

func (h head) check(id session.ID) error {
	switch {
	case h.Version != headVersion:
		return errHeadRules
	case h.ID != id.String():
		return errHeadForeign
	case h.Where != words.BackendFile && h.Where != words.BackendKeychain:
		return errHeadRules
	case h.Generation >= maxGeneration, h.Pending >= maxGeneration:
		return errHeadRules
	case h.Pending != 0 && h.Pending <= h.Generation, (h.Pending != 0) != isDigest(h.PendingSHA256):
		return errHeadRules
	case !h.promotedRules():
		return errHeadRules
	case h.Generation == 0 && (h.Pending == 0 || h.Tombstone || h.Where != words.BackendKeychain):
		return errHeadRules
	}
	return h.checkPayload()
}

func (h head) checkPayload() error {
	inFile := h.Where == words.BackendFile && !h.Tombstone
	switch {
	case inFile != (len(h.Payload) > 0):
		return errHeadRules
	case inFile && digest(h.Payload) != h.SHA256:
		return errHeadDigest
	case h.Tombstone || h.Generation == 0:
		if h.SHA256 != "" {
			return errHeadRules
		}
	case !isDigest(h.SHA256):
		return errHeadRules
	}
	for _, f := range []*fence{h.fence(), h.removed()} {
		if f != nil && f.Operation != operationPut && f.Operation != operationDelete {
			return errHeadRules
		}
	}
	return nil
}

// encode writes one line. It returns ErrTooBig for what a strict read would refuse.
func (h head) encode() ([]byte, error) {
	if max(h.Generation, h.Pending) >= maxGeneration {
		return nil, errHeadRules
	}
	data, err := json.Marshal(h)
	if err != nil {
		return nil, errHeadRules // the error of a RawMessage may quote it
	}
	if len(data)+1 > headLimit {
		return nil, fmt.Errorf("head of %d bytes, at most %d: %w", len(data)+1, headLimit, ErrTooBig)
	}
	return append(data, '\n'), nil
}

// maxGeneration is more saves than a slot can have. A head at or above it is refused, so
// that next never wraps around to a generation that was used.
const maxGeneration = 1 << 63

// next is a generation that was never used, not even by a put that was abandoned.
func (h head) next() uint64 { return max(h.Generation, h.Pending) + 1 }

// fence is the write in doubt, or nil.
func (h head) fence() *fence {
	if h.Keychain == nil {
		return nil
	}
	return h.Keychain.InDoubt
}

// lacksFence reports an announcement without its fence, which this program never writes.
func (h head) lacksFence() bool { return h.PendingSHA256 != "" && h.fence() == nil }

// noteToKeep is the note of a head that follows h without having asked the keychain: what
// the keychain held before it may hold still.
func (h head) noteToKeep() *keychainNote {
	if h.Keychain == nil && h.Generation > 0 && h.Where == words.BackendKeychain {
		return &keychainNote{}
	}
	return h.Keychain
}

// holds reports whether v is the slot's present value: the committed generation,
// or the one whose save was cut off after the keychain took it.
func (h head) holds(v value) bool {
	if h.Tombstone || v.generation == 0 || h.Where != words.BackendKeychain {
		return false
	}
	sum := digest(v.payload)
	return v.generation == h.Generation && sum == h.SHA256 || h.holdsPending(v)
}

func (h head) holdsPending(v value) bool {
	return h.Pending != 0 && v.generation == h.Pending && digest(v.payload) == h.PendingSHA256
}

// removed is the delete after which one look found nothing, or nil.
func (h head) removed() *fence {
	if h.Keychain == nil {
		return nil
	}
	return h.Keychain.Removed
}

// withFence is the head with this fence, or with none. An empty provider leaves its name as
// it was. The note is a copy: heads share nothing.
func (h head) withFence(provider string, f *fence) head {
	note := keychainNote{}
	if h.Keychain != nil {
		note = *h.Keychain
	}
	if provider != "" {
		note.Provider = provider
	}
	note.InDoubt, note.Removed = f, nil
	h.Keychain = &note
	return h
}

// withPendingCommitted is the head once the value of Pending is the present one.
func (h head) withPendingCommitted() head {
	h.Generation, h.SHA256, h.Promoted = h.Pending, h.PendingSHA256, h.promotedWith("")
	return h.withoutPending()
}

// withoutPending is the head without the announcement of a save that was cut off.
func (h head) withoutPending() head {
	h.Pending, h.PendingSHA256, h.PendingPromoted = 0, "", ""
	return h
}

func digest(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}

func isDigest(text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == sha256.Size
}
