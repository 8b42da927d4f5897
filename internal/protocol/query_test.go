package protocol_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func TestAnAuditQueryHoldsOnlyWhatItFilters(t *testing.T) {
	t.Parallel()
	w := wallet.New()
	for name, tt := range map[string]struct {
		q    protocol.AuditQuery
		want string
	}{
		"everything": {protocol.AuditQuery{}, ""},
		"one agent":  {protocol.AuditQuery{Agent: w}, "agent=" + w.String()},
		"all filters": {
			protocol.AuditQuery{Agent: w, Service: "a&b", Action: "revoked", Since: 1, Cursor: 18446744073709551615, Limit: 7, FromEnd: true},
			"action=revoked&agent=" + w.String() + "&cursor=18446744073709551615&from=end&limit=7&service=a%26b&since=1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.q.Values().Encode(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
