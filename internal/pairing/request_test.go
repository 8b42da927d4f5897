package pairing_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/secret"
)

func must[A, B any](t testing.TB, f func(A) (B, error), arg A) B {
	t.Helper()
	v, err := f(arg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func someRequest(t testing.TB, device secret.String) pairing.Request {
	t.Helper()
	wish, err := scope.Of("openrouter", "anthropic")
	if err != nil {
		t.Fatal(err)
	}
	return pairing.Request{
		V: 1, Kind: pairing.KindPair, TokenSHA256: strings.Repeat("a", 64),
		DeviceKey: must(t, seal.Recipient, device), DeviceSignKey: must(t, seal.SigningKey, device),
		RequestedScope: wish, Alias: "my-bot", Host: "pi-4", Machine: "",
	}
}

func TestARequestReadsBackAsItWasMade(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*pairing.Request){
		"pair":               func(*pairing.Request) {},
		"pair without wish":  func(r *pairing.Request) { r.RequestedScope, r.Alias = scope.None(), "" },
		"pair, all":          func(r *pairing.Request) { r.RequestedScope = scope.All() },
		"recover by alias":   func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, "my-bot" },
		"recover by address": func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, "bot@example.com" },
		"host in Chinese":    func(r *pairing.Request) { r.Host = "厨房的树莓派" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := someRequest(t, seal.NewSeed())
			change(&want)
			raw := must(t, pairing.Request.Encode, want)
			got := must(t, pairing.ParseRequest, raw)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestRequestsAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*pairing.Request){
		"unknown kind":             func(r *pairing.Request) { r.Kind = "approve" },
		"no kind":                  func(r *pairing.Request) { r.Kind = "" },
		"no token hash":            func(r *pairing.Request) { r.TokenSHA256 = "" },
		"token hash in capitals":   func(r *pairing.Request) { r.TokenSHA256 = strings.Repeat("A", 64) },
		"no device key":            func(r *pairing.Request) { r.DeviceKey = "" },
		"no device signing key":    func(r *pairing.Request) { r.DeviceSignKey = "" },
		"alias with capitals":      func(r *pairing.Request) { r.Alias = "My" },
		"alias that is a wallet":   func(r *pairing.Request) { r.Alias = "0x" + strings.Repeat("a", 40) },
		"pair with an identity":    func(r *pairing.Request) { r.Identity = "my-bot" },
		"recover without identity": func(r *pairing.Request) { r.Kind = pairing.KindRecover },
		"host with a line":         func(r *pairing.Request) { r.Host = "pi\nApproved: yes" },
		"host turned round":        func(r *pairing.Request) { r.Host = "pi\u202e4" },
		"machine of 65 bytes":      func(r *pairing.Request) { r.Machine = strings.Repeat("a", 65) },
		"identity with escape":     func(r *pairing.Request) { r.Kind, r.Identity = pairing.KindRecover, "a\x1b[2J" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := someRequest(t, seal.NewSeed())
			change(&r)
			if _, err := r.Encode(); !errors.Is(err, pairing.ErrRequest) {
				t.Errorf("Encode: %v", err)
			}
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pairing.ParseRequest(raw); !errors.Is(err, pairing.ErrRequest) {
				t.Errorf("ParseRequest: %v", err)
			}
		})
	}
}

func TestParseRequestIsStrict(t *testing.T) {
	t.Parallel()
	raw := string(must(t, pairing.Request.Encode, someRequest(t, seal.NewSeed())))
	scopePart := `"requested_scope":["anthropic","openrouter"]`
	for name, text := range map[string]string{
		"scope twice":      strings.Replace(raw, scopePart, scopePart+`,"requested_scope":"all"`, 1),
		"scope in capital": strings.Replace(raw, scopePart, scopePart+`,"Requested_Scope":"all"`, 1),
		"scope null":       strings.Replace(raw, scopePart, `"requested_scope":null`, 1),
		"scope missing":    strings.Replace(raw, scopePart+",", "", 1),
		"unknown key":      strings.Replace(raw, "{", `{"x":1,`, 1),
		"version 2":        strings.Replace(raw, `"v":1`, `"v":2`, 1),
		"two documents":    raw + raw,
		"padded":           raw + strings.Repeat(" ", pairing.MaxRequest),
		"cut":              raw[:len(raw)-1],
		"empty":            "",
	} {
		if text == raw {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := pairing.ParseRequest([]byte(text)); !errors.Is(err, pairing.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckTextShowsOnlyWhatAPersonCanRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "host": "raspberrypi-4.local", "blanks": "my kitchen pi", "umlaut": "Küche", "Chinese": "树莓派",
		"Japanese": "キッチン", "Arabic": "مطبخ", "emoji": "pi 🥧", "64 bytes": strings.Repeat("a", 64), "punctuation": `"<&>'`,
	} {
		if err := pairing.CheckText(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"65 bytes": strings.Repeat("a", 65), "22 Chinese characters": strings.Repeat("树", 22), "NUL": "a\x00b", "line": "a\nb",
		"tab": "a\tb", "return": "a\rb", "escape": "\x1b[1m", "delete": "a\x7f", "C1 control": "a\u009bb", "no UTF-8": "a\xffb",
		"half a character": "树"[:2], "surrogate": "\xed\xa0\x80", "right-to-left override": "\u202eabc", "isolate": "\u2066a\u2069",
		"left-to-right mark": "a\u200eb", "Arabic letter mark": "\u061c", "zero width space": "a\u200bb", "zero width joiner": "👩\u200d💻",
		"byte order mark": "\ufeffa", "word joiner": "a\u2060b", "soft hyphen": "a\u00adb", "line separator": "a\u2028b",
		"paragraph separator": "a\u2029b", "tag character": "a\U000e0041", "no-break space": "a\u00a0b", "ideographic space": "a\u3000b",
		"Hangul filler": "\u3164", "combining grapheme joiner": "a\u034fb", "private use": "\ue000", "not assigned": "\u0378",
	} {
		if err := pairing.CheckText(text); !errors.Is(err, pairing.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(must(f, pairing.Request.Encode, someRequest(f, seal.NewSeed()))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := pairing.ParseRequest(raw)
		if err != nil {
			if !errors.Is(err, pairing.ErrRequest) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("accepted what cannot be encoded: %v", err)
		}
		back, err := pairing.ParseRequest(again)
		if err != nil || cmp.Diff(r, back) != "" {
			t.Fatalf("changed on the way: %v", err)
		}
	})
}
