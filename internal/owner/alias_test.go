package owner_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestAnAliasIsKnownOrAskedForOnce(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	m, _ := h.pair("hermes", scope.All())
	o := h.open()
	if got := o.Alias(t.Context(), m.Wallet); got != "hermes" {
		t.Errorf("of an agent: %q", got)
	}
	if got := o.Alias(t.Context(), wallet.New()); got != "" {
		t.Errorf("of a wallet that is not there: %q", got)
	}
	if got := o.Alias(t.Context(), o.Wallet()); got != "" {
		t.Errorf("of the owner: %q", got)
	}
}
