package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/strictjson"
)

// repeats reads one value by encoding/json's own tokens. Its error says that this is no
// sound value, or that an object in it has a key twice.
func repeats(dec *json.Decoder) error {
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return err
	}
	seen := map[any]bool{}
	for dec.More() {
		if open == json.Delim('{') {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			if seen[key] {
				return errors.New("repeated")
			}
			seen[key] = true
		}
		if err := repeats(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func sound(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if repeats(dec) != nil {
		return false
	}
	_, err := dec.Token()
	return errors.Is(err, io.EOF)
}

// A value of no known type is accepted if and only if encoding/json's own tokens are those
// of one sound value without repeated keys.
func FuzzDecodeFindsWhatEncodingJSONFinds(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-2.5e3,true,null,"\"]}"],"b":{"\u0061":1,"b":2}}`, `{"a":1,"\u0061":2}`, `[{},[],""," \\",{"":0}]`, `[1,]`, `{"a":1,}`,
		`{"a" 1}`, `[1 2]`, `nul`, `{"a\":1}`, `1}`, `]`, `{,"a":1}`, `{"a":}`, `"`, `1,"b":2`, `{"a":{"a":{"a":1,"b":2,"a":3}}}`, `{"a":1 ,	"a":2}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v struct {
			Any json.RawMessage `json:"any"`
		}
		text := []byte(`{"any":` + string(data) + `}`)
		err := strictjson.DecodeOwn(text, &v)
		switch accepted, want := err == nil, utf8.Valid(text) && sound(text); {
		case accepted && !want:
			t.Errorf("accepted: %q", text)
		case want && !accepted && json.Valid(data) && !strings.Contains(err.Error(), "nested too deep"):
			t.Errorf("refused: %q: %v", text, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"v":1,"scope":["a"],"items":[{"name":"` + string(bytes.Repeat([]byte("x"), 500)) + `"},{"name":"y"}]}`)
	for b.Loop() {
		var d struct {
			V     int         `json:"v"`
			Scope scope.Scope `json:"scope"`
			Items []inner     `json:"items"`
		}
		if err := strictjson.Decode(text, &d); err != nil {
			b.Fatal(err)
		}
	}
}
