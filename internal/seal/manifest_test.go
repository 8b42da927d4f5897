package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

var sameManifest = cmp.Options{cmpopts.EquateComparable(wallet.Wallet{}), cmpopts.EquateEmpty()}

func hash(c string) string { return strings.Repeat(c, 64) }

func scopeOf(t testing.TB, names ...string) scope.Scope {
	t.Helper()
	s, err := scope.Of(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// someManifest is a whole, good manifest; sc is its scope.
func someManifest(t testing.TB, sc scope.Scope) seal.Manifest {
	t.Helper()
	device := seal.NewSeed()
	return seal.Manifest{
		V: 1, Owner: wallet.New(), Wallet: wallet.New(), Alias: "my-bot", Emails: []string{"bot@example.com"},
		Revision: 7, DeviceKey: must(t, seal.Recipient, device), DeviceSignKey: must(t, seal.SigningKey, device),
		Scope: sc, OfflineTTL: seal.DefaultOfflineTTL,
		Records: []seal.Entry{
			{Service: "anthropic", Revision: 1, SHA256: hash("a")},
			{Service: "openrouter", Revision: 3, SHA256: hash("b")},
		},
	}
}

func signed(t testing.TB, m seal.Manifest) (protocol.SignedManifest, string) {
	t.Helper()
	seed := seal.NewSeed()
	sm, err := seal.Sign(m, seed)
	if err != nil {
		t.Fatal(err)
	}
	return sm, must(t, seal.SigningKey, seed)
}

func TestASignedManifestOpensAsItWasSigned(t *testing.T) {
	t.Parallel()
	for name, sc := range map[string]scope.Scope{
		"all": scope.All(), "none": scope.None(), "a list": scopeOf(t, "openrouter", "anthropic"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := someManifest(t, sc)
			slices.Reverse(m.Records)
			sm, key := signed(t, m)
			got, err := seal.Open(sm, key)
			if err != nil {
				t.Fatal(err)
			}
			slices.Reverse(m.Records)
			if diff := cmp.Diff(m, got, sameManifest); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestNoChangedByteOfASignedManifestOpens(t *testing.T) {
	t.Parallel()
	sm, key := signed(t, someManifest(t, scopeOf(t, "openrouter")))
	refuse := func(what string, i int, changed protocol.SignedManifest) {
		t.Helper()
		if _, err := seal.Open(changed, key); !errors.Is(err, seal.ErrManifest) {
			t.Fatalf("%s changed at %d: %v", what, i, err)
		}
	}
	for i := range sm.Manifest {
		c := protocol.SignedManifest{Manifest: bytes.Clone(sm.Manifest), Signature: sm.Signature}
		c.Manifest[i] ^= 1 << (i % 8)
		refuse("manifest", i, c)
	}
	for i := range sm.Signature {
		for bit := range 8 {
			c := protocol.SignedManifest{Manifest: sm.Manifest, Signature: bytes.Clone(sm.Signature)}
			c.Signature[i] ^= 1 << bit
			refuse("signature", i, c)
		}
	}
	for name, c := range map[string]protocol.SignedManifest{
		"blank added":       {Manifest: append(bytes.Clone(sm.Manifest), ' '), Signature: sm.Signature},
		"cut":               {Manifest: sm.Manifest[:len(sm.Manifest)-1], Signature: sm.Signature},
		"no manifest":       {Signature: sm.Signature},
		"no signature":      {Manifest: sm.Manifest},
		"long signature":    {Manifest: sm.Manifest, Signature: append(bytes.Clone(sm.Signature), 0)},
		"manifest as text":  {Manifest: append([]byte("agentkeys manifest v1\n"), sm.Manifest...), Signature: sm.Signature},
		"key as no message": {Manifest: []byte(key), Signature: sm.Signature},
	} {
		if _, err := seal.Open(c, key); !errors.Is(err, seal.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, other := signed(t, someManifest(t, scope.None()))
	for name, k := range map[string]string{"another owner": other, "no key": "", "a broken key": key[:42]} {
		if _, err := seal.Open(sm, k); !errors.Is(err, seal.ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A good signature over a document that is not strict is refused too: the owner's key
// may sign only what every reader reads alike.
func TestASignatureDoesNotExcuseALooseDocument(t *testing.T) {
	t.Parallel()
	seed := seal.NewSeed()
	key := must(t, seal.SigningKey, seed)
	sm, err := seal.Sign(someManifest(t, scope.None()), seed)
	if err != nil {
		t.Fatal(err)
	}
	loose := bytes.Replace(sm.Manifest, []byte(`"scope":[]`), []byte(`"scope":[],"scope":"all"`), 1)
	if _, err := seal.Open(signRaw(t, loose, seed), key); !errors.Is(err, seal.ErrManifest) {
		t.Fatal(err)
	}
	if _, err := seal.Open(signRaw(t, sm.Manifest, seed), key); err != nil {
		t.Fatalf("the same without the change: %v", err)
	}
}

func TestSignAndParseRefuse(t *testing.T) {
	t.Parallel()
	seed := seal.NewSeed()
	many := make([]seal.Entry, protocol.MaxRecords+1)
	for i := range many {
		many[i] = seal.Entry{Service: fmt.Sprintf("s%03d", i), Revision: 1, SHA256: hash("a")}
	}
	entry := func(e seal.Entry) func(*seal.Manifest) {
		return func(m *seal.Manifest) { m.Records = []seal.Entry{e} }
	}
	for name, change := range map[string]func(*seal.Manifest){
		"no owner":                 func(m *seal.Manifest) { m.Owner = wallet.Wallet{} },
		"no wallet":                func(m *seal.Manifest) { m.Wallet = wallet.Wallet{} },
		"alias in capitals":        func(m *seal.Manifest) { m.Alias = "My-Bot" },
		"alias that is a wallet":   func(m *seal.Manifest) { m.Alias = m.Wallet.String() },
		"alias with a line":        func(m *seal.Manifest) { m.Alias = "bot\n" },
		"revision 0":               func(m *seal.Manifest) { m.Revision = 0 },
		"revision beyond a double": func(m *seal.Manifest) { m.Revision = 1<<53 + 1 },
		"no device key":            func(m *seal.Manifest) { m.DeviceKey = "" },
		"no device signing key":    func(m *seal.Manifest) { m.DeviceSignKey = "" },
		"broken next owner key":    func(m *seal.Manifest) { m.NextOwnerKey = "x" },
		"negative offline ttl":     func(m *seal.Manifest) { m.OfflineTTL = -1 },
		"offline for years":        func(m *seal.Manifest) { m.OfflineTTL = seal.MaxOfflineTTL + 1 },
		"65 records":               func(m *seal.Manifest) { m.Records = many },
		"record twice":             func(m *seal.Manifest) { m.Records = append(m.Records, m.Records[0]) },
		"record without revision":  entry(seal.Entry{Service: "a", SHA256: hash("a")}),
		"record without hash":      entry(seal.Entry{Service: "a", Revision: 1}),
		"record, hash in capitals": entry(seal.Entry{Service: "a", Revision: 1, SHA256: hash("A")}),
		"record called all":        entry(seal.Entry{Service: "all", Revision: 1, SHA256: hash("a")}),
		"nine e-mails":             func(m *seal.Manifest) { m.Emails = slices.Repeat([]string{"a@b"}, 9) },
		"e-mail without @":         func(m *seal.Manifest) { m.Emails = []string{"a"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := someManifest(t, scope.None())
			change(&m)
			if _, err := seal.Sign(m, seed); !errors.Is(err, seal.ErrManifest) {
				t.Errorf("Sign: %v", err)
			}
			raw, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := seal.Parse(raw); !errors.Is(err, seal.ErrManifest) {
				t.Errorf("Parse: %v", err)
			}
		})
	}
	if _, err := seal.Sign(someManifest(t, scope.None()), secret.New("x")); err == nil {
		t.Error("signed without a key")
	}
}

func TestServedIsWhatTheScopeAllows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-e]{1,3}`), 0, 10, rapid.ID[string]).Draw(t, "records")
		sc, err := scope.Of(rapid.SliceOfN(rapid.StringMatching(`[a-e]{1,3}`), 0, 5).Draw(t, "scope")...)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "all") {
			sc = scope.All()
		}
		m := seal.Manifest{Scope: sc}
		for _, n := range names {
			m.Records = append(m.Records, seal.Entry{Service: n})
		}
		served := m.Served()
		for _, n := range names {
			if slices.Contains(served, seal.Entry{Service: n}) != sc.Allows(n) {
				t.Fatalf("%s with scope %s", n, sc)
			}
			if _, ok := m.Entry(n); !ok {
				t.Fatalf("%s is not found", n)
			}
		}
		if _, ok := m.Entry("not-there"); ok || len(served) > len(names) {
			t.Fatal("found what is not listed")
		}
	})
}

func TestAliasesAndEMails(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	for alias, good := range map[string]bool{
		"a": true, "my-bot": true, "0x12": true, strings.Repeat("a", 63): true, "9": true,
		"": false, "-a": false, "A": false, "a b": false, "a.b": false, "ä": false, "a\x00": false, "a@b": false,
		strings.Repeat("a", 64): false, w.String(): false, "../a": false,
	} {
		if err := seal.CheckAlias(alias); (err == nil) != good || err != nil && !errors.Is(err, seal.ErrAlias) {
			t.Errorf("alias %q: %v", alias, err)
		}
	}
	for mail, good := range map[string]bool{
		"a@b": true, "first.last+tag@mail.example.com": true,
		"": false, "a": false, "@b": false, "a@": false, "a@b@c": false, "A@b": false, "a b@c": false, "a@b\n": false,
		"ä@b": false, "a\u202e@b": false, "a/../b@c": false, strings.Repeat("a", 63) + "@b": false, "a\xff@b": false,
	} {
		if err := seal.CheckEmail(mail); (err == nil) != good || err != nil && !errors.Is(err, seal.ErrEmail) {
			t.Errorf("e-mail %q: %v", mail, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	sm, _ := signed(f, someManifest(f, scopeOf(f, "a", "b")))
	f.Add([]byte(sm.Manifest))
	all, _ := signed(f, someManifest(f, scope.All()))
	f.Add([]byte(all.Manifest))
	seed := seal.NewSeed()
	key := must(f, seal.SigningKey, seed)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := seal.Parse(raw)
		if err != nil {
			if !errors.Is(err, seal.ErrManifest) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		again, err := seal.Sign(m, seed)
		if err != nil {
			t.Fatalf("accepted what cannot be signed: %v", err)
		}
		back, err := seal.Open(again, key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, back, sameManifest); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkOpenManifest(b *testing.B) {
	sm, key := signed(b, someManifest(b, scope.All()))
	for b.Loop() {
		if _, err := seal.Open(sm, key); err != nil {
			b.Fatal(err)
		}
	}
}
