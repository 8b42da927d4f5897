package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/secret"
)

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry-value"
	type holder struct {
		Name  string
		Token secret.String
		Ptr   *secret.String
	}
	s := secret.New(canary)
	h := holder{Name: "n", Token: s, Ptr: &s}
	var logs bytes.Buffer
	slog.New(slog.NewJSONHandler(&logs, nil)).Info("m", "s", s, "h", h, "p", &h)
	slog.New(slog.NewTextHandler(&logs, nil)).Info("m", "s", s, "h", h, "p", &h)
	out := logs.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, h) + fmt.Sprintf(verb, &h)
	}
	if strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
		t.Fatalf("the secret was printed: %s", out)
	}
	if _, err := json.Marshal(h); !errors.Is(err, secret.ErrMarshal) {
		t.Fatalf("json.Marshal: got %v, want ErrMarshal", err)
	}
}

func TestEqualComparesTheText(t *testing.T) {
	t.Parallel()
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) {
		t.Fatal("Equal does not compare the text")
	}
	if !(secret.String{}).IsZero() || !(secret.String{}).Equal(secret.New("")) {
		t.Fatal("the zero value is not the empty secret")
	}
}
