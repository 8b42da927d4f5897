package owner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestADamagedMemoryIsNotForgotten(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	must(h.open().Store(context.Background(), "", "openrouter", secret.New("v")))(t)
	file := filepath.Join(h.slots.Dir(h.cfg.ID), "manifests.json")
	good := must(os.ReadFile(file))(t)
	for name, text := range map[string]string{
		"empty": "", "cut": string(good[:len(good)/2]), "repeated key": `{"version":1,"wallets":{},"wallets":{},"audit":{"number":0,"sha256":""}}`,
		"newer": `{"version":2,"wallets":{},"audit":{"number":0,"sha256":""}}`, "null": `{"version":1,"wallets":null,"audit":{"number":0,"sha256":""}}`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Open(context.Background(), h.cfg); err == nil {
			t.Errorf("%s: the account opens without its memory", name)
		}
		if left := must(os.ReadFile(file))(t); string(left) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// deaf is a broker whose answer to a revocation does not come, or is a refusal.
type deaf struct {
	owner.Broker
	err error
}

func (d *deaf) Revoke(context.Context, secret.String, wallet.Wallet) error { return d.err }

func TestARevocationWithoutAnAnswerCountsForWhatIsStored(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	_, b := h.pair("bot", scope.All())
	h.lie = func(inner owner.Broker) owner.Broker { return &deaf{inner, protocol.ErrUnreachable} }
	if _, err := h.open().Revoke(ctx, "bot"); !errors.Is(err, protocol.ErrUnreachable) {
		t.Fatal(err)
	}
	m := must(h.open().Store(ctx, "bot", "openrouter", secret.New("v")))(t)
	if got := h.opens(m, "openrouter", b.seed); got != "" {
		t.Fatalf("the device opens %q", got)
	}
}

func TestARefusedRevocationChangesNothing(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := context.Background()
	_, b := h.pair("bot", scope.All())
	h.lie = func(inner owner.Broker) owner.Broker {
		return &deaf{inner, &protocol.Problem{Status: 403, Code: protocol.CodeDenied}}
	}
	o := h.open()
	if _, err := o.Revoke(ctx, "bot"); err == nil {
		t.Fatal("refused, and no error")
	}
	m := must(o.Store(ctx, "bot", "openrouter", secret.New("v")))(t)
	if got := h.opens(m, "openrouter", b.seed); got != "v" {
		t.Fatalf("the device opens %q", got)
	}
}
