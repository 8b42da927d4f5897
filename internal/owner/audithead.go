package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/strictjson"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// auditFile is words.FileAudit: the newest row of the audit trail that this machine saw.
type auditFile struct {
	Version int                `json:"version"` // 1
	Owner   wallet.Wallet      `json:"owner"`   // of the trail; the slot may hold another account by now
	Head    protocol.AuditHead `json:"head"`
}

// readHead is the last row of this account's trail that this machine saw; number 0: none. A file
// that cannot be read is ErrAuditFile, because starting afresh would lose the protection. With
// accept the result is number 0.
func (o *Owner) readHead(accept bool) (protocol.AuditHead, error) {
	if accept {
		return protocol.AuditHead{}, nil
	}
	data, err := o.cfg.Slots.ReadFile(o.cfg.ID, words.FileAudit)
	if errors.Is(err, fs.ErrNotExist) {
		return o.known.Audit, nil
	}
	if err != nil {
		return protocol.AuditHead{}, fmt.Errorf("read %s: %w", words.FileAudit, err)
	}
	f, err := parseAuditFile(data)
	if err != nil || f.Owner != o.sess.Wallet {
		return protocol.AuditHead{}, err
	}
	return f.Head, nil
}

func parseAuditFile(data []byte) (auditFile, error) {
	var f auditFile
	if err := strictjson.DecodeOwn(data, &f); err != nil {
		return f, fmt.Errorf("%w: %w", ErrAuditFile, err)
	}
	if f.Version != 1 {
		return f, fmt.Errorf("%w: version %d is not known to this program", ErrAuditFile, f.Version)
	}
	return f, nil
}

// noteHead saves the head at which a walk ended. If another command has saved a later head
// since, that one stays, unless replace is set.
func (o *Owner) noteHead(head protocol.AuditHead, replace bool) error {
	err := o.cfg.Slots.UpdateFile(o.cfg.ID, words.FileAudit, func(old []byte) ([]byte, error) {
		if f, err := parseAuditFile(old); !replace && err == nil && f.Owner == o.sess.Wallet && f.Head.Number >= head.Number {
			return nil, nil
		}
		return json.Marshal(auditFile{Version: 1, Owner: o.sess.Wallet, Head: head})
	})
	if err != nil {
		o.cfg.Log.Warn("the head of the audit trail is not kept", "error", err)
		return nil
	}
	if o.known.Audit.Number == 0 {
		return nil
	}
	return o.note(func(k *known) { k.Audit = protocol.AuditHead{} })
}
