package agent_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// fakeBroker answers as docs/spec/architecture.md#sessions-at-the-broker says, for one agent,
// in memory. fault may stop a call before it has an effect, or lose its answer after.
type fakeBroker struct {
	mu       sync.Mutex
	changed  chan struct{}
	fault    func(call string) error // nil: none
	override func(call string) error // an answer instead of the true one

	wallet    wallet.Wallet
	signKey   string // the device's public key
	current   string // token hashes
	next      string
	retired   map[string]bool
	state     string // "", parked, ended, lapsed
	epochSeen bool
	renewedAt int64

	manifest protocol.SignedManifest
	revision uint64
	records  map[string]protocol.SealedRecord
	reports  []protocol.Report

	refuseReport func(protocol.Report) error // nil: none is refused

	calls map[string]int
}

func (b *fakeBroker) before(call string) error {
	b.mu.Lock()
	b.calls[call]++
	fault, override := b.fault, b.override
	b.mu.Unlock()
	if override != nil {
		if err := override(call); err != nil {
			return err
		}
	}
	if fault != nil {
		return fault(call)
	}
	return nil
}

func (b *fakeBroker) after(call string) error {
	b.mu.Lock()
	fault := b.fault
	b.mu.Unlock()
	if fault != nil {
		return fault(call + " answer")
	}
	return nil
}

func refusal(status int, code string) *protocol.Problem {
	p := &protocol.Problem{Status: status, Code: code}
	if status == http.StatusUnauthorized && code != protocol.CodeSessionRevoked {
		p.Challenge = "challenge"
	}
	return p
}

// accept is the table's column for a token; using N makes it C.
func (b *fakeBroker) accept(token secret.String) error {
	hash := session.TokenHash(token)
	switch {
	case hash != b.current && hash != b.next && !b.retired[hash]:
		return refusal(401, protocol.CodeTokenUnknown)
	case b.state == "ended":
		return refusal(401, protocol.CodeSessionRevoked)
	case b.state == "lapsed":
		return refusal(401, protocol.CodeSessionExpired)
	case b.retired[hash]:
		return refusal(401, protocol.CodeTokenRetired)
	case b.state == "parked":
		return refusal(409, protocol.CodeCloneSuspected)
	case hash == b.next:
		b.retired[b.current] = true
		b.current, b.next, b.renewedAt = hash, "", time.Now().Unix()
	}
	b.epochSeen = true
	return nil
}

func (b *fakeBroker) info() protocol.SessionInfo {
	return protocol.SessionInfo{
		Wallet: b.wallet, Role: "agent", CreatedAt: b.renewedAt,
		ExpiresAt: b.renewedAt + int64(session.TTL/time.Second), Time: time.Now().Unix(),
	}
}

func (b *fakeBroker) Session(_ context.Context, token secret.String) (protocol.SessionInfo, error) {
	if err := b.before("session"); err != nil {
		return protocol.SessionInfo{}, err
	}
	b.mu.Lock()
	err := b.accept(token)
	info := b.info()
	b.mu.Unlock()
	if err != nil {
		return protocol.SessionInfo{}, err
	}
	return info, b.after("session")
}

func (b *fakeBroker) Renew(_ context.Context, token secret.String, body protocol.Renew) (protocol.SessionInfo, error) {
	if err := b.before("renew"); err != nil {
		return protocol.SessionInfo{}, err
	}
	b.mu.Lock()
	err := b.accept(token)
	text := session.RenewText(b.wallet, session.TokenHash(token), body.NextSHA256)
	switch {
	case err != nil:
	case session.CheckProof(b.signKey, text, body.Proof) != nil:
		err = refusal(403, protocol.CodeDenied)
	case b.retired[body.NextSHA256] || body.NextSHA256 == b.current:
		err = refusal(409, protocol.CodeConflict)
	default:
		b.next = body.NextSHA256
	}
	info := b.info()
	b.mu.Unlock()
	if err != nil {
		return protocol.SessionInfo{}, err
	}
	return info, b.after("renew")
}

func (b *fakeBroker) Resume(_ context.Context, body protocol.Resume) (protocol.SessionInfo, error) {
	if err := b.before("resume"); err != nil {
		return protocol.SessionInfo{}, err
	}
	b.mu.Lock()
	err := b.resume(body)
	info := b.info()
	b.mu.Unlock()
	if err != nil {
		return protocol.SessionInfo{}, err
	}
	return info, b.after("resume")
}

func (b *fakeBroker) resume(body protocol.Resume) error {
	text := session.ResumeText(body.Wallet, body.NextSHA256, body.Challenge)
	switch {
	case session.CheckProof(b.signKey, text, body.Proof) != nil:
		return refusal(401, protocol.CodeTokenUnknown)
	case b.state == "ended":
		return refusal(401, protocol.CodeSessionRevoked)
	case b.state == "parked":
		return refusal(409, protocol.CodeCloneSuspected)
	case body.NextSHA256 == b.current || body.NextSHA256 == b.next:
		return nil
	case b.state == "lapsed":
		return refusal(403, protocol.CodeApprovalNeeded)
	case b.epochSeen:
		b.state = "parked"
		return refusal(409, protocol.CodeCloneSuspected)
	}
	b.next = body.NextSHA256
	return nil
}

func (b *fakeBroker) Record(_ context.Context, token secret.String, w wallet.Wallet, service string) (protocol.SealedRecord, error) {
	if err := b.before("record " + service); err != nil {
		return protocol.SealedRecord{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.accept(token); err != nil {
		return protocol.SealedRecord{}, err
	}
	r, ok := b.records[service]
	if !ok || w != b.wallet {
		return protocol.SealedRecord{}, refusal(404, protocol.CodeNotFound)
	}
	return r, nil
}

func (b *fakeBroker) Sync(ctx context.Context, token secret.String, etag string, wait time.Duration) (*protocol.Sync, string, error) {
	if wait > protocol.MaxWait*time.Second || wait%time.Second != 0 { // as the true one
		return nil, "", refusal(400, protocol.CodeBadRequest)
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for over := wait <= 0; ; {
		if err := b.before("sync"); err != nil {
			return nil, "", err
		}
		b.mu.Lock()
		err := b.accept(token)
		now, changed := fmt.Sprint(b.revision, hex.EncodeToString(b.manifest.Signature[:8])), b.changed
		reply := &protocol.Sync{SignedManifest: b.manifest, Revision: b.revision}
		b.mu.Unlock()
		switch {
		case err != nil:
			return nil, "", err
		case now != etag:
			return reply, now, nil
		case over:
			return nil, etag, nil
		}
		select {
		case <-ctx.Done():
			return nil, "", fmt.Errorf("%w: %w", protocol.ErrUnreachable, ctx.Err())
		case <-deadline.C:
			over = true
		case <-changed:
		}
	}
}

func (b *fakeBroker) Report(_ context.Context, token secret.String, body protocol.Report) error {
	if err := b.before("report"); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.accept(token); err != nil {
		return err
	}
	if b.refuseReport != nil {
		if err := b.refuseReport(body); err != nil {
			return err
		}
	}
	b.reports = append(b.reports, body)
	return nil
}

// set changes the broker and wakes the requests that wait.
func (b *fakeBroker) set(change func(*fakeBroker)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *fakeBroker) get(read func(*fakeBroker)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	read(b)
}
