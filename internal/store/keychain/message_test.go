package keychain_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain"
)

func TestTheAnswerOfAChildIsBelievedOnlyInOurWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		want   error // nil = some other error
	}{
		"absent":                 {`{"outcome":"absent"}`, store.ErrKeychainAbsent},
		"too big":                {`{"outcome":"too_big"}`, store.ErrTooBig},
		"unavailable":            {`{"outcome":"unavailable","state":"locked","reason":"r"}`, store.ErrUnavailable},
		"a state nobody knows":   {`{"outcome":"unavailable","state":"open"}`, nil},
		"refused":                {`{"outcome":"refused"}`, nil},
		"an outcome of no sense": {`{"outcome":"fine"}`, nil},
		"no outcome":             {`{"value":"AAAA"}`, nil},
		"nothing":                {``, nil},
		"cut off":                {`{"outcome":"ok"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := keychain.ParseAnswerErr([]byte(tt.answer))
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
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
		if err == nil && (req.Account == "" || req.Milliseconds <= 0 || !strings.Contains("get put delete", req.Operation)) {
			t.Fatalf("taken: %+v", req)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"outcome":"unavailable","state":"hung"}`))
	f.Add([]byte(`{"outcome":"ok","value":"AAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := keychain.ParseAnswerErr(data)
		var unavailable *store.UnavailableError
		if errors.As(err, &unavailable) && !bytes.Contains(data, []byte("unavailable")) && !bytes.Contains(data, []byte(`\u`)) {
			t.Fatalf("%q says %v", data, err)
		}
	})
}
