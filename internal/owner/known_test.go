package owner_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
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

// fullCard takes no more state files.
type fullCard struct{ owner.Slots }

func (c fullCard) UpdateFile(id session.ID, name string, change func([]byte) ([]byte, error)) error {
	old, err := c.ReadFile(id, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if data, err := change(old); err != nil || data == nil {
		return err
	}
	return syscall.ENOSPC
}

func TestAFullCardKeepsNobodyFromReadingAndStoring(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	ctx := t.Context()
	h.pair("bot", scope.All())
	h.cfg.Slots = fullCard{h.slots}
	must(h.open().Store(ctx, "bot", "openrouter", secret.New("v")))(t)
	o := h.open()
	if agents := must(o.Agents(ctx))(t); len(agents) != 1 {
		t.Errorf("%d agents", len(agents))
	}
	if v := must(o.Read(ctx, must(o.Resolve(ctx, "bot"))(t), "openrouter"))(t); v.Reveal() != "v" {
		t.Error("another value")
	}
	h.usage(owner.UsageQuery{})
	h.pair("second", scope.All())
	if _, err := o.Revoke(ctx, "bot"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a revocation that this machine would forget: %v", err)
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
