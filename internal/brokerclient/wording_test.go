package brokerclient_test

import (
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

func TestTheOperationIsNamedByTheCallerAlone(t *testing.T) {
	t.Parallel()
	_, err := client(t, brokerclient.Config{URL: serve(t, reply(200, "text/html", "<p>"))}).Agents(t.Context(), session.NewToken(), 0)
	if err == nil || !strings.HasPrefix(err.Error(), protocol.ErrUnreachable.Error()) {
		t.Error(err)
	}
}
