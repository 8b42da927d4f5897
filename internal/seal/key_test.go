package seal_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
)

func drawSeed(t *rapid.T, label string) secret.String {
	b := rapid.SliceOfN(rapid.Byte(), seal.SeedSize, seal.SeedSize).Draw(t, label)
	return secret.New(base64.RawURLEncoding.EncodeToString(b))
}

func must[A, B any](t testing.TB, f func(A) (B, error), arg A) B {
	t.Helper()
	v, err := f(arg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// age itself checks the Bech32 checksum of what Recipient builds, for any seed.
func TestEverySeedGivesARecipientThatAgeReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := drawSeed(t, "seed")
		text, err := seal.Recipient(seed)
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.ParseHybridRecipient(text)
		if err != nil || r.String() != text {
			t.Fatalf("age reads %q as %v: %v", text, r, err)
		}
		again, err := seal.Recipient(seed)
		if err != nil || again != text {
			t.Fatal("one seed gives two recipients")
		}
	})
}

func TestKeysOfTwoSeedsDiffer(t *testing.T) {
	t.Parallel()
	a, b := seal.NewSeed(), seal.NewSeed()
	if a.Equal(b) {
		t.Fatal("two seeds are equal")
	}
	ra, rb := must(t, seal.Recipient, a), must(t, seal.Recipient, b)
	sa, sb := must(t, seal.SigningKey, a), must(t, seal.SigningKey, b)
	if ra == rb || sa == sb {
		t.Fatal("two seeds give one key")
	}
}

func TestMalformedSeedsAreRefused(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("A", 43)
	for name, text := range map[string]string{
		"empty":       "",
		"short":       good[:42],
		"long":        good + "A",
		"padded":      good + "=",
		"loose bits":  good[:42] + "B",
		"line end":    good + "\n",
		"standard 64": good[:42] + "/",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := secret.New(text)
			if _, err := seal.Recipient(seed); !errors.Is(err, seal.ErrKey) {
				t.Errorf("Recipient: %v", err)
			}
			if _, err := seal.SigningKey(seed); !errors.Is(err, seal.ErrKey) {
				t.Errorf("SigningKey: %v", err)
			}
			if _, err := seal.RecoveryKey(seed, seal.NewSeed()); !errors.Is(err, seal.ErrKey) {
				t.Errorf("RecoveryKey: %v", err)
			}
			if _, err := seal.RecoveryKey(seal.NewSeed(), seed); !errors.Is(err, seal.ErrKey) {
				t.Errorf("RecoveryKey: %v", err)
			}
			if err := seal.CheckSigningKey(text); !errors.Is(err, seal.ErrKey) {
				t.Errorf("CheckSigningKey: %v", err)
			}
		})
	}
}

func TestCheckRecipientTakesOnlyHybridKeys(t *testing.T) {
	t.Parallel()
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	good := must(t, seal.Recipient, seal.NewSeed())
	if err := seal.CheckRecipient(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "X25519": classic.Recipient().String(), "cut": good[:len(good)-1],
		"one letter changed": good[:50] + flip(good[50]) + good[51:], "a seed": seal.NewSeed().Reveal(),
		"line end": good + "\n", "two": good + " " + good,
	} {
		if err := seal.CheckRecipient(text); !errors.Is(err, seal.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func flip(c byte) string {
	if c == 'q' {
		return "p"
	}
	return "q"
}

func TestRecoveryKeyGivesBackBothSeeds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSeed(t, "identity"), drawSeed(t, "signing")
		key, err := seal.RecoveryKey(a, b)
		if err != nil {
			t.Fatal(err)
		}
		text := key.Reveal()
		if len(text) != len("AGENTKEYS-RECOVERY-1-")+109 {
			t.Fatalf("%d characters", len(text))
		}
		typed := rapid.SampledFrom([]string{
			text, strings.ToLower(text), " " + text + "\r\n", text[:40] + " \n " + text[40:],
		}).Draw(t, "typed")
		ga, gb, err := seal.ParseRecoveryKey(secret.New(typed))
		if err != nil || !ga.Equal(a) || !gb.Equal(b) {
			t.Fatalf("seeds changed: %v", err)
		}
	})
}

// A base32 text of 68 bytes has one spare bit at its end: that letter may have a twin
// which means the same. Every other mistake is noticed.
func TestAMistypedRecoveryKeyNeverGivesOtherSeeds(t *testing.T) {
	t.Parallel()
	a, b := seal.NewSeed(), seal.NewSeed()
	key, err := seal.RecoveryKey(a, b)
	if err != nil {
		t.Fatal(err)
	}
	text := key.Reveal()
	for i := range text {
		for _, c := range "AZ27QXM-0" {
			wrong := text[:i] + string(c) + text[i+1:]
			ga, gb, err := seal.ParseRecoveryKey(secret.New(wrong))
			if err == nil && (!ga.Equal(a) || !gb.Equal(b)) {
				t.Fatalf("position %d: other seeds", i)
			}
			if err == nil && wrong != text && i != len(text)-1 {
				t.Fatalf("position %d: accepted", i)
			}
		}
	}
	for name, wrong := range map[string]string{
		"empty": "", "prefix only": "AGENTKEYS-RECOVERY-1-", "no prefix": text[21:], "cut": text[:len(text)-2],
		"twice": text + text[21:], "version 2": strings.Replace(text, "-1-", "-2-", 1), "padded": text + "===",
	} {
		if _, _, err := seal.ParseRecoveryKey(secret.New(wrong)); !errors.Is(err, seal.ErrRecoveryKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRecoveryKey(f *testing.F) {
	f.Add("AGENTKEYS-RECOVERY-1-" + strings.Repeat("A", 109))
	f.Fuzz(func(t *testing.T, text string) {
		a, b, err := seal.ParseRecoveryKey(secret.New(text))
		if err != nil {
			return
		}
		if _, err := seal.RecoveryKey(a, b); err != nil {
			t.Fatalf("accepted seeds that cannot be packed: %v", err)
		}
	})
}
