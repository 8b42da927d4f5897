package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
)

func signRaw(t testing.TB, raw []byte, seed secret.String) protocol.SignedManifest {
	t.Helper()
	key, err := base64.RawURLEncoding.DecodeString(seed.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte("agentkeys manifest v1\n"), raw...)
	return protocol.SignedManifest{Manifest: raw, Signature: ed25519.Sign(ed25519.NewKeyFromSeed(key), text)}
}

// member is one key of an object in the order of the text.
type member struct {
	key   string
	value json.RawMessage
}

func members(t *rapid.T, raw []byte) []member {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var out []member
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var m member
		m.key, _ = tok.(string)
		if err := dec.Decode(&m.value); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func object(ms []member) []byte {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = `"` + m.key + `":` + string(m.value)
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

func spell(t *rapid.T, key string) string {
	switch rapid.IntRange(0, 4).Draw(t, "spelling") {
	case 0:
		return key
	case 1:
		return strings.ToUpper(key)
	case 2:
		return strings.ToUpper(key[:1]) + key[1:]
	case 3:
		return `\u00` + string("0123456789abcdef"[key[0]>>4]) + string("0123456789abcdef"[key[0]&15]) + key[1:]
	}
	return strings.ReplaceAll(strings.ReplaceAll(key, "s", "\u017f"), "k", "\u212a") // they fold to s and k
}

// mutate repeats, respells, drops, moves or empties keys of an object.
func mutate(t *rapid.T, ms []member) []member {
	values := []json.RawMessage{[]byte(`null`), []byte(`"all"`), []byte(`["all"]`), []byte(`[null]`), []byte(`{}`), []byte(`[]`), []byte(`""`), []byte(`true`)}
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		i := rapid.IntRange(0, len(ms)-1).Draw(t, "which")
		at := rapid.IntRange(0, len(ms)).Draw(t, "where")
		value := rapid.SampledFrom(append(values, ms[i].value)).Draw(t, "value")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0: // say it twice
			extra := member{spell(t, ms[i].key), value}
			ms = append(ms[:at:at], append([]member{extra}, ms[at:]...)...)
		case 1: // respell it
			ms[i].key = spell(t, ms[i].key)
		case 2: // leave it out
			if len(ms) > 1 {
				ms = append(ms[:i:i], ms[i+1:]...)
			}
		case 3: // empty it
			if ms[i].key != "scope" || string(value) != `"all"` {
				ms[i].value = value
			}
		case 4: // put the wider scope under another name
			ms = append(ms, member{rapid.SampledFrom([]string{"scope ", "Scope", "requested_scope", "SCOPE", "scopes"}).Draw(t, "name"), []byte(`"all"`)})
		}
	}
	return ms
}

// Only a document that plainly says a wider scope is wider, and that one needs the
// owner's signature. Repeating, respelling, dropping or emptying keys is never enough.
func TestNoMutationOfKeysWidensAScope(t *testing.T) {
	t.Parallel()
	narrow, none := someManifest(t, scopeOf(t, "anthropic")), someManifest(t, scope.None())
	rapid.Check(t, func(rt *rapid.T) {
		m := narrow
		if rapid.Bool().Draw(rt, "none") {
			m = none
		}
		raw, err := json.Marshal(m)
		if err != nil {
			rt.Fatal(err)
		}
		changed := object(mutate(rt, members(rt, raw)))
		got, err := seal.Parse(changed)
		if err == nil && (got.Scope.IsAll() || slices.ContainsFunc(got.Scope.Services(), func(s string) bool { return !m.Scope.Allows(s) })) {
			rt.Fatalf("scope %s became %s by\n%s", m.Scope, got.Scope, changed)
		}
	})
}
