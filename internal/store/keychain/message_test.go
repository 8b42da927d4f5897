package keychain_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
)

func TestTheAnswerOfAChildIsBelievedOnlyInOurWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		ok     bool
		want   error // nil = an error that is none of the port's
	}{
		"absent":                 {`{"outcome":"absent"}` + "\n", true, store.ErrKeychainAbsent},
		"too big":                {`{"outcome":"too_big"}` + "\n", true, store.ErrTooBig},
		"unavailable":            {`{"outcome":"unavailable","state":"locked","reason":"r"}` + "\n", true, store.ErrUnavailable},
		"an unknown state":       {`{"outcome":"unavailable","state":"open"}` + "\n", true, nil},
		"refused":                {`{"outcome":"refused"}` + "\n", true, nil},
		"an outcome of no sense": {`{"outcome":"fine"}` + "\n", true, nil},
		"no outcome":             {`{"value":"AAAA"}` + "\n", false, nil},
		"nothing":                {``, false, nil},
		"no end of line":         {`{"outcome":"ok"}`, false, nil},
		"cut off":                {`{"outcome":"ok"` + "\n", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ok, err := keychain.ParseAnswer([]byte(tt.answer))
			if ok != tt.ok || err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v, want %v, %v", err, ok, tt.want, tt.ok)
			}
			if tt.want == nil && (errors.Is(err, store.ErrKeychainAbsent) || errors.Is(err, store.ErrUnavailable)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		`{"operation":"get","account":"master","milliseconds":2000}`, `{"operation":"put","account":"a","value":"AA==","milliseconds":1}`,
		`{"operation":"drop","account":"a","milliseconds":1}`, `{}`, ``, `{"operation":"get","account":"","milliseconds":-1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := keychain.ParseRequest(data)
		if err == nil && (req.Account == "" || req.Milliseconds <= 0 || !slices.Contains([]string{"get", "put", "delete"}, req.Operation)) {
			t.Fatalf("taken: %+v", req)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"outcome":"unavailable","state":"hung"}` + "\n"))
	f.Add([]byte(`{"outcome":"ok","value":"AAAA"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := keychain.ParseAnswer(data)
		var unavailable *store.UnavailableError
		if errors.As(err, &unavailable) && !bytes.Contains(data, []byte("unavailable")) && !bytes.Contains(data, []byte(`\u`)) {
			t.Fatalf("%q says %v", data, err)
		}
	})
}
