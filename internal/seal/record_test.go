package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
)

func sealed(t testing.TB, service string, revision uint64, value string, seeds ...secret.String) protocol.SealedRecord {
	t.Helper()
	to := make([]string, len(seeds))
	for i, s := range seeds {
		to[i] = must(t, seal.Recipient, s)
	}
	r, err := seal.SealRecord(service, revision, secret.New(value), to...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARecordOpensWithEachKeyThatItIsSealedTo(t *testing.T) {
	t.Parallel()
	device, owner := seal.NewSeed(), seal.NewSeed()
	for name, value := range map[string]string{
		"empty": "", "text": "sk-or-v1-abc", "line end kept": "key\n", "NUL and no UTF-8": "\x00\xff\xfe",
		"largest": strings.Repeat("\xff", protocol.MaxRecord),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sealed(t, "openrouter", 3, value, device, owner)
			for _, seed := range []secret.String{device, owner} {
				got, err := seal.OpenRecord(r, seal.EntryOf(r), seed)
				if err != nil || got.Reveal() != value {
					t.Fatalf("%d bytes became %d: %v", len(value), len(got.Reveal()), err)
				}
			}
			if value != "" && bytes.Contains(r.Data, []byte(value)) {
				t.Fatal("the value is in the ciphertext")
			}
		})
	}
}

func TestOpenRecordRefuses(t *testing.T) {
	t.Parallel()
	const value = "canary-value"
	device, owner, other := seal.NewSeed(), seal.NewSeed(), seal.NewSeed()
	good := sealed(t, "openrouter", 3, value, device, owner)
	entry := seal.EntryOf(good)
	ownersOnly := sealed(t, "brave-search", 1, value, owner)
	renamed := protocol.SealedRecord{Service: "anthropic", Revision: good.Revision, Data: good.Data}
	aged := protocol.SealedRecord{Service: good.Service, Revision: good.Revision + 1, Data: good.Data}
	changed := protocol.SealedRecord{Service: good.Service, Revision: good.Revision, Data: bytes.Clone(good.Data)}
	changed.Data[len(changed.Data)-1] ^= 1
	again := sealed(t, "openrouter", 3, value, device, owner)
	for name, c := range map[string]struct {
		record protocol.SealedRecord
		entry  seal.Entry
		seed   secret.String
	}{
		"another key":                        {good, entry, other},
		"sealed to the owner only":           {ownersOnly, seal.EntryOf(ownersOnly), device},
		"another entry":                      {good, seal.EntryOf(ownersOnly), device},
		"the same value sealed again":        {again, entry, device},
		"an entry of another service":        {good, seal.Entry{Service: "anthropic", Revision: 3, SHA256: entry.SHA256}, device},
		"an entry of another revision":       {good, seal.Entry{Service: "openrouter", Revision: 4, SHA256: entry.SHA256}, device},
		"renamed, and the entry too":         {renamed, seal.EntryOf(renamed), device},
		"made newer, and the entry too":      {aged, seal.EntryOf(aged), device},
		"one bit, and the entry too":         {changed, seal.EntryOf(changed), device},
		"no data, and the entry too":         {protocol.SealedRecord{Service: "a", Revision: 1}, seal.EntryOf(protocol.SealedRecord{Service: "a", Revision: 1}), device},
		"content of another form":            entryFor(t, device, `{"service":"a","revision":1}`),
		"content with a key twice":           entryFor(t, device, `{"service":"a","revision":1,"value":"","value":"YQ"}`),
		"content with an unknown key":        entryFor(t, device, `{"service":"a","revision":1,"value":"","x":1}`),
		"content longer than any record":     entryFor(t, device, strings.Repeat(" ", 3*protocol.MaxRecord)),
		"content whose value has loose bits": entryFor(t, device, `{"service":"a","revision":1,"value":"YR"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := seal.OpenRecord(c.record, c.entry, c.seed)
			if !errors.Is(err, seal.ErrRecord) || !got.IsZero() {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), value) {
				t.Fatal("the value is in the error")
			}
		})
	}
}

// entryFor encrypts any plaintext as a record "a", revision 1, with a fitting entry.
func entryFor(t testing.TB, seed secret.String, plain string) struct {
	record protocol.SealedRecord
	entry  seal.Entry
	seed   secret.String
} {
	t.Helper()
	r, err := age.ParseHybridRecipient(must(t, seal.Recipient, seed))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec := protocol.SealedRecord{Service: "a", Revision: 1, Data: out.Bytes()}
	return struct {
		record protocol.SealedRecord
		entry  seal.Entry
		seed   secret.String
	}{rec, seal.EntryOf(rec), seed}
}

func TestSealRecordRefuses(t *testing.T) {
	t.Parallel()
	to := must(t, seal.Recipient, seal.NewSeed())
	big := secret.New(strings.Repeat("x", protocol.MaxRecord+1))
	if _, err := seal.SealRecord("a", 1, big, to); !errors.Is(err, seal.ErrRecord) {
		t.Errorf("too big: %v", err)
	}
	if _, err := seal.SealRecord("A b", 1, secret.New("x"), to); !errors.Is(err, scope.ErrService) {
		t.Errorf("bad name: %v", err)
	}
	if _, err := seal.SealRecord("a", 1, secret.New("x"), to, "age1pq1nonsense"); !errors.Is(err, seal.ErrKey) {
		t.Errorf("bad recipient: %v", err)
	}
	if _, err := seal.SealRecord("a", 1, secret.New("x")); err == nil {
		t.Error("sealed to nobody")
	}
}

func TestARecordTravelsAsJSON(t *testing.T) {
	t.Parallel()
	device := seal.NewSeed()
	r := sealed(t, "openrouter", 1, "v", device)
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back protocol.SealedRecord
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if err := seal.CheckRecord(back, seal.EntryOf(r)); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkOpenRecord(b *testing.B) {
	device, owner := seal.NewSeed(), seal.NewSeed()
	r := sealed(b, "openrouter", 1, strings.Repeat("k", 73), device, owner)
	entry := seal.EntryOf(r)
	for b.Loop() {
		if _, err := seal.OpenRecord(r, entry, device); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealRecord(b *testing.B) {
	to := []string{must(b, seal.Recipient, seal.NewSeed()), must(b, seal.Recipient, seal.NewSeed())}
	value := secret.New(strings.Repeat("k", 73))
	for b.Loop() {
		if _, err := seal.SealRecord("openrouter", 1, value, to...); err != nil {
			b.Fatal(err)
		}
	}
}
