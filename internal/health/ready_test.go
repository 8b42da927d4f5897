package health_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		state words.State
		codes []condition.Code
		want  bool
	}{
		"online":                        {words.StateOnline, nil, true},
		"offline, from the cache":       {words.StateOffline, []condition.Code{condition.BrokerAway}, true},
		"parked goes on with the old":   {words.StateParked, []condition.Code{condition.CloneSuspected}, true},
		"a withheld record of several":  {words.StateOnline, []condition.Code{condition.RecordWithheld}, true},
		"the card is full":              {words.StateOnline, []condition.Code{condition.NoSpace, condition.StateReadOnly}, true},
		"offline for too long":          {words.StateOffline, []condition.Code{condition.BrokerAway, condition.OfflineTooLong}, false},
		"nothing to open records with":  {words.StateOnline, []condition.Code{condition.DeviceKeyMissing}, false},
		"starting":                      {words.StateStarting, nil, false},
		"waiting for the keychain":      {words.StateWaitingForKeychain, []condition.Code{condition.KeychainLocked}, false},
		"revoked":                       {words.StateRevoked, []condition.Code{condition.SessionRevoked}, false},
		"blocked":                       {words.StateBlocked, []condition.Code{condition.SlotInsecure}, false},
		"a state that does not exist":   {"asleep", nil, false},
		"revoked, state not yet caught": {words.StateOnline, []condition.Code{condition.SessionRevoked}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := conditions(time.Now)
			want := []string{"state " + string(tt.state)}
			for _, code := range tt.codes {
				c.Set(code, true, "openrouter on host pi") // must not show
				want = append(want, string(code))
			}
			ready, reasons := health.Ready(tt.state, c.Active())
			if ready != tt.want {
				t.Errorf("ready = %v", ready)
			}

			if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(reasons))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
