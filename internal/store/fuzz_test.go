package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

// FuzzHead: whatever the bytes, the answer is a head that survives being written
// and read again, or ErrCorrupt or ErrNewer without a word of the content.
func FuzzHead(f *testing.F) {
	digest := strings.Repeat("0a", 32)
	const secret = "canary-0123456789"
	for _, seed := range []string{
		``, "\x00\x00", `{}`, `{"version":2}`, `{"version":1e400}`, `{"version":1,"` + secret + `":1}`,
		`{"version":1,"id":"master","generation":3,"pending":0,"where":"keychain","tombstone":false,"sha256":"` + digest + `"}`,
		`{"version":1,"id":"master","generation":3,"pending":4,"pending_sha256":"` + digest + `","where":"keychain","tombstone":false,"sha256":"` + digest + `","keychain":{"provider":"p","verified_at":1,"in_doubt":{"generation":4,"operation":"put","boot_id":"b","bus_id":"u","owner":":1.1","at":2}}}`,
		`{"version":1,"id":"master","generation":3,"pending":0,"where":"file","tombstone":true,"sha256":""}`,
		`{"version":1,"id":"master","generation":3,"pending":0,"where":"file","tombstone":true,"sha256":"","promoted":["pending-0123456789abcdef0123456789abcdef"]}`,
		`{"version":1,"id":"master","generation":1,"pending":0,"where":"file","tombstone":false,"payload":{},"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := store.RoundTripHead(data, session.Master())
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrNewer) && !errors.Is(err, store.ErrTooBig) {
				t.Fatalf("unknown error: %v", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the error repeats the content: %v", err)
			}
			return
		}
		twice, err := store.RoundTripHead(once, session.Master())
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not stable: %v\n%s%s", err, once, twice)
		}
	})
}

// FuzzValue: a keychain entry is ours, another program's session, or refused.
func FuzzValue(f *testing.F) {
	text := bare(wallet.New(), "token", "1")
	for _, seed := range []string{"", "ak1.1.e30", "ak1.01.e30", "ak1.0.e30", "ak1.1.", "ak1.18446744073709551616.e30", text, " " + text + "\n", "go-keyring-base64:e30=", "go-keyring-encoded:7b7d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ours, generation, err := store.RoundTripValue(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(ours, "\n\r \x00") {
			t.Fatalf("more than one word: %q", ours)
		}
		if generation > 0 && ours != text {
			t.Fatalf("%q became %q", text, ours)
		}
	})
}
