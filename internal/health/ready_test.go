package health_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/health"
)

func TestReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		state string
		codes []health.Code
		want  bool
	}{
		"online":                        {health.StateOnline, nil, true},
		"offline, from the cache":       {health.StateOffline, []health.Code{health.BrokerAway}, true},
		"parked goes on with the old":   {health.StateParked, []health.Code{health.CloneSuspected}, true},
		"a withheld record of several":  {health.StateOnline, []health.Code{health.RecordWithheld}, true},
		"the card is full":              {health.StateOnline, []health.Code{health.NoSpace, health.StateReadOnly}, true},
		"offline for too long":          {health.StateOffline, []health.Code{health.BrokerAway, health.OfflineTooLong}, false},
		"nothing to open records with":  {health.StateOnline, []health.Code{health.DeviceKeyMissing}, false},
		"starting":                      {health.StateStarting, nil, false},
		"waiting for the keychain":      {health.StateWaitingForKeychain, []health.Code{health.KeychainLocked}, false},
		"revoked":                       {health.StateRevoked, []health.Code{health.SessionRevoked}, false},
		"unpaired":                      {health.StateUnpaired, nil, false},
		"blocked":                       {health.StateBlocked, []health.Code{health.SlotInsecure}, false},
		"a state that does not exist":   {"asleep", nil, false},
		"revoked, state not yet caught": {health.StateOnline, []health.Code{health.SessionRevoked}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := conditions(time.Now)
			want := []string{"state " + tt.state}
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
