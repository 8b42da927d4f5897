package owner_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/scope"
)

func TestAnAgentHasAtMostEightEMailAddresses(t *testing.T) {
	t.Parallel()
	h := initialised(t)
	h.pair("bot", scope.None())
	o := h.open()
	for n := 1; n <= 9; n++ {
		_, err := o.Link(t.Context(), "bot", owner.Link{Email: fmt.Sprintf("bot%d@example.com", n)})
		if n <= 8 && err != nil || n == 9 && !errors.Is(err, owner.ErrEmails) {
			t.Errorf("address %d: %v", n, err)
		}
	}
	if _, err := o.Link(t.Context(), "bot", owner.Link{Email: "bot1@example.com", Alias: "other"}); err != nil {
		t.Errorf("one that it has: %v", err)
	}
}
