package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func full(t *testing.T) session.Session {
	t.Helper()
	sc, err := scope.Of("openrouter", "anthropic")
	if err != nil {
		t.Fatal(err)
	}
	return session.Session{
		Token: session.NewToken(), Wallet: wallet.New(), Scope: sc,
		CreatedAt: 1_790_000_000, TTLSeconds: int64(session.TTL / time.Second),
		Broker: "http://127.0.0.1:8420", Owner: &session.Owner{Wallet: wallet.New(), SigningKey: seed},
		DeviceKey: secret.New(seed), DeviceSignKey: secret.New(seed), Next: session.NewToken(),
		Ended: &session.Ended{Code: "session_revoked", At: 1}, ManifestRevision: 7,
		Pairing: &session.Pairing{Code: secret.New("K7QF2M9XRT4B"), Kind: "pair", Request: []byte("{}"), StartedAt: 2, Resumed: 1},
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	t.Parallel()
	for _, sc := range []scope.Scope{scope.None(), scope.All()} {
		want := full(t)
		want.Scope = sc
		data, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := session.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		equal := cmp.Comparer(func(a, b secret.String) bool { return a.Equal(b) })
		wallets := cmp.Comparer(func(a, b wallet.Wallet) bool { return a == b })
		if diff := cmp.Diff(want, got, equal, wallets); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const w = `"wallet":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"`
	for name, text := range map[string]string{
		"scope absent":      `{"token":"t",` + w + `,"created_at":1,"ttl_seconds":1}`,
		"scope case-varied": `{"token":"t",` + w + `,"Scope":null,"created_at":1,"ttl_seconds":1}`,
		"scope repeated":    `{"token":"t",` + w + `,"scope":[],"scope":null,"created_at":1,"ttl_seconds":1}`,
		"scope none":        `{"token":"t",` + w + `,"scope":"none","created_at":1,"ttl_seconds":1}`,
		"no token":          `{"token":"",` + w + `,"scope":null,"created_at":1,"ttl_seconds":1}`,
		"bad wallet":        `{"token":"t","wallet":"0x1","scope":null,"created_at":1,"ttl_seconds":1}`,
		"no wallet":         `{"token":"t","wallet":"","scope":null,"created_at":1,"ttl_seconds":1}`,
		"bad seed":          `{"token":"t",` + w + `,"scope":null,"created_at":1,"ttl_seconds":1,"device_key":"AAAA"}`,
		"negative ttl":      `{"token":"t",` + w + `,"scope":null,"created_at":1,"ttl_seconds":-1}`,
		"empty":             ``,
		"NUL bytes":         "\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := session.Decode([]byte(text)); !errors.Is(err, session.ErrPayload) {
				t.Fatalf("got %v, want ErrPayload", err)
			}
		})
	}
}

func TestNullScopeIsAllInThePayloadOnly(t *testing.T) {
	t.Parallel()
	s, err := session.Decode([]byte(`{"token":"t","wallet":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed","scope":null,"created_at":1,"ttl_seconds":1}`))
	if err != nil || !s.Scope.IsAll() || s.CanServe() {
		t.Fatalf("%v %v", s.Scope, err)
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	for text, want := range map[string]string{
		"master": "master", "work-2": "work-2", "a.b_c": "a.b_c",
		"daemon-" + w.String(): "daemon-" + w.String(), "daemon-" + w.EIP55(): "daemon-" + w.String(),
		"pending-" + strings.Repeat("0a", 16): "pending-" + strings.Repeat("0a", 16),
	} {
		id, err := session.ParseID(text)
		if err != nil || id.String() != want {
			t.Errorf("%q: got %q, %v", text, id, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a..b", "../x", "a/b", "a\x00", "A", "session", "daemon-", "daemon-x",
		"pending-", "pending-xyz", strings.Repeat("a", 65), strings.Repeat("a", 200), " master", "master\n", "-a", "_a", "daemon-../../x"} {
		if id, err := session.ParseID(bad); !errors.Is(err, session.ErrID) {
			t.Errorf("%q: got %q, %v", bad, id, err)
		}
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	text := session.RenewText(wallet.New(), "a", "b")
	sig, err := session.Prove(secret.New(seed), text)
	if err != nil {
		t.Fatal(err)
	}
	const pub = "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik" // of the zero seed, RFC 8032 arithmetic
	if err := session.CheckProof(pub, text, sig); err != nil {
		t.Fatal(err)
	}
	if session.CheckProof(pub, append(text, '\n'), sig) == nil || session.CheckProof("", text, sig) == nil {
		t.Fatal("a wrong proof was accepted")
	}
}

func TestRenewInSurvivesClockJumps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		created := rapid.Int64Range(0, 1<<40).Draw(t, "created")
		now := rapid.Int64Range(0, 1<<40).Draw(t, "now")
		jitter := rapid.Float64Range(0, 0.999).Draw(t, "jitter")
		got := session.RenewIn(created, now, jitter)
		if got < 0 || got > session.RenewEvery*11/10 {
			t.Fatalf("%v", got)
		}
	})
}

func TestNothingPrintsASession(t *testing.T) {
	t.Parallel()
	s := full(t)
	out := fmt.Sprintf("%v %+v %#v %v", s, s, s, &s)
	for _, text := range []string{s.Token.Reveal(), s.Next.Reveal(), s.Pairing.Code.Reveal()} {
		if strings.Contains(out, text) {
			t.Fatal("a secret was printed")
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"token":"t","wallet":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed","scope":["a"],"created_at":1,"ttl_seconds":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := session.Decode(data)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := session.Decode(again); err != nil || !back.Scope.Equal(s.Scope) || back.Wallet != s.Wallet {
			t.Fatalf("%q -> %q: %v", data, again, err)
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("master")
	f.Add("daemon-0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := session.ParseID(text)
		if err == nil && (strings.ContainsAny(id.String(), "/\x00\\") || strings.Contains(id.String(), "..") || len(id.String()) > 64) {
			t.Fatalf("%q became %q", text, id)
		}
	})
}
