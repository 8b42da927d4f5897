package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

// ErrRecord says that a record is not the one the manifest lists, or cannot be
// opened with this key. The reader drops it.
var ErrRecord = errors.New("record refused")

// recordBody is the plaintext of a record.
type recordBody struct {
	Service  string         `json:"service"`
	Revision uint64         `json:"revision"`
	Value    protocol.Bytes `json:"value"`
}

// SealRecord encrypts one credential to every recipient: the owner's key, and the device key
// if the service is in scope. value has at most protocol.MaxRecord bytes.
func SealRecord(service string, revision uint64, value secret.String, recipients ...string) (protocol.SealedRecord, error) {
	if err := scope.CheckService(service); err != nil {
		return protocol.SealedRecord{}, err
	}
	if len(value.Reveal()) > protocol.MaxRecord {
		return protocol.SealedRecord{}, fmt.Errorf("%w: a value has at most %d bytes", ErrRecord, protocol.MaxRecord)
	}
	plain, err := json.Marshal(recordBody{Service: service, Revision: revision, Value: []byte(value.Reveal())})
	if err != nil {
		return protocol.SealedRecord{}, fmt.Errorf("encode record: %w", err)
	}
	data, err := encrypt(plain, recipients)
	if err != nil {
		return protocol.SealedRecord{}, err
	}
	return protocol.SealedRecord{Service: service, Revision: revision, Data: data}, nil
}

func encrypt(plain []byte, recipients []string) ([]byte, error) {
	to := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		r, err := age.ParseHybridRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("age recipient: %w", ErrKey)
		}
		to[i] = r
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, fmt.Errorf("encrypt record: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("encrypt record: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypt record: %w", err)
	}
	return out.Bytes(), nil
}

// EntryOf is the entry for a sealed record in a manifest.
func EntryOf(r protocol.SealedRecord) Entry {
	sum := sha256.Sum256(r.Data)
	return Entry{Service: r.Service, Revision: r.Revision, SHA256: hex.EncodeToString(sum[:])}
}

// CheckRecord returns ErrRecord unless r is the record that entry lists, byte for byte.
func CheckRecord(r protocol.SealedRecord, entry Entry) error {
	if EntryOf(r) != entry {
		return fmt.Errorf("%w: %s is not the record of the manifest", ErrRecord, entry.Service)
	}
	return nil
}

// OpenRecord decrypts the record that entry lists with the age seed of a device or an owner.
// Any defect is ErrRecord; no error contains the value.
func OpenRecord(r protocol.SealedRecord, entry Entry, seed secret.String) (secret.String, error) {
	if err := CheckRecord(r, entry); err != nil {
		return secret.String{}, err
	}
	id, err := identity(seed)
	if err != nil {
		return secret.String{}, err
	}
	plain, err := decrypt(r.Data, id)
	if err != nil {
		return secret.String{}, fmt.Errorf("%w: %s is not encrypted to this key", ErrRecord, entry.Service)
	}
	var body recordBody
	if err := strictjson.Decode(plain, &body); err != nil {
		return secret.String{}, fmt.Errorf("%w: the content of %s is malformed", ErrRecord, entry.Service)
	}
	if body.Service != entry.Service || body.Revision != entry.Revision {
		return secret.String{}, fmt.Errorf("%w: %s holds another record", ErrRecord, entry.Service)
	}
	return secret.New(string(body.Value)), nil
}

func decrypt(data []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(data), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 2*protocol.MaxRecord))
}
