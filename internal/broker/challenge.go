package broker

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// challenges makes and checks what `resume` signs: 32 bytes with their time, 8 random bytes and a
// MAC under a key of this process. The broker stores only challenges that were used, so requests
// for challenges cannot fill its memory.
type challenges struct {
	key  [32]byte
	mu   sync.Mutex
	used map[string]int64 // until it expires
}

func newChallenges() *challenges {
	c := &challenges{used: map[string]int64{}}
	_, _ = rand.Read(c.key[:])
	return c
}

func (c *challenges) mac(head []byte, w wallet.Wallet) []byte {
	m := hmac.New(sha256.New, c.key[:])
	m.Write(head)
	if !w.IsZero() {
		m.Write([]byte(w.String()))
	}
	return m.Sum(nil)[:16]
}

// New makes a challenge for a wallet, or for any wallet if w is zero, because the token that was
// presented is unknown.
func (c *challenges) New(w wallet.Wallet, now int64) string {
	var raw [32]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now))
	_, _ = rand.Read(raw[8:16])
	copy(raw[16:], c.mac(raw[:16], w))
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Use reports whether text is a valid challenge for w, and marks it as used.
func (c *challenges) Use(text string, w wallet.Wallet, now int64) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 32 {
		return false
	}
	made := int64(binary.BigEndian.Uint64(raw[:8]))
	if now < made || now >= made+protocol.ChallengeLife {
		return false
	}
	forWallet := hmac.Equal(raw[16:], c.mac(raw[:16], w))
	forAny := hmac.Equal(raw[16:], c.mac(raw[:16], wallet.Wallet{}))
	if !forWallet && !forAny {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, end := range c.used {
		if end <= now {
			delete(c.used, k)
		}
	}
	if _, again := c.used[text]; again {
		return false
	}
	c.used[text] = made + protocol.ChallengeLife
	return true
}
