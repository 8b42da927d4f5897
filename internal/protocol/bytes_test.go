package protocol_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

func TestBytesTravelInOneSpelling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		raw, err := json.Marshal(protocol.Bytes(data))
		if err != nil || strings.ContainsAny(string(raw), "+/=") {
			t.Fatalf("%s: %v", raw, err)
		}
		var back protocol.Bytes
		if err := json.Unmarshal(raw, &back); err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%x became %x: %v", data, back, err)
		}
	})
}

func TestBytesAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"padded": `"YQ=="`, "standard alphabet": `"+/8"`, "line end inside": `"YW\nJj"`, "line end after": `"YWJj\n"`, "return": `"YWJj\r\n"`,
		"blank": `"YW Jj"`, "loose bits": `"YR"`, "one letter": `"Y"`, "NUL": `"YWJj\u0000"`, "number": `1`, "list": `[1,2]`, "object": `{}`, "true": `true`,
	} {
		b := protocol.Bytes("before")
		if err := json.Unmarshal([]byte(text), &b); err == nil {
			t.Errorf("%s: accepted as %x", name, b)
		}
	}
}

func FuzzBytes(f *testing.F) {
	f.Add([]byte("YWJj"))
	f.Add([]byte("YW\nJj"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b protocol.Bytes
		if b.UnmarshalText(text) != nil {
			return
		}
		again, err := b.MarshalText()
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q has a second spelling %q", text, again)
		}
	})
}

func TestAProblemNamesItsCode(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]protocol.Problem{
		"denied (HTTP 403)":              {Status: 403, Code: protocol.CodeDenied},
		"slow_down: wait 3 s (HTTP 429)": {Status: 429, Code: protocol.CodeSlowDown, Detail: "wait 3 s", Challenge: "c", DenyMAC: "m"},
	} {
		if got := p.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
