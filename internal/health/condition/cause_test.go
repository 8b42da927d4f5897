package condition_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

func TestOneCauseIsOneLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		held []string
		want map[string]string
	}{
		"nothing":                          {nil, map[string]string{}},
		"one alone":                        {[]string{"renewal_failing"}, map[string]string{}},
		"two that have nothing in common":  {[]string{"no_space", "clock_not_set"}, map[string]string{}},
		"a full disk":                      {[]string{"no_space", "renewal_failing"}, map[string]string{"renewal_failing": "no_space"}},
		"a disk that is read only":         {[]string{"state_read_only", "renewal_failing"}, map[string]string{"renewal_failing": "state_read_only"}},
		"a keychain that locked":           {[]string{"keychain_locked", "renewal_failing"}, map[string]string{"renewal_failing": "keychain_locked"}},
		"a broker that is away":            {[]string{"broker_away", "renewal_failing", "offline_too_long"}, map[string]string{"renewal_failing": "broker_away", "offline_too_long": "broker_away"}},
		"another broker in its place":      {[]string{"broker_certificate_changed", "offline_too_long"}, map[string]string{"offline_too_long": "broker_certificate_changed"}},
		"a session that lapsed":            {[]string{"broker_away", "session_expired", "offline_too_long"}, map[string]string{"broker_away": "session_expired", "offline_too_long": "session_expired"}},
		"a keychain that owes an answer":   {[]string{"fell_back_to_file", "store_in_doubt"}, map[string]string{"fell_back_to_file": "store_in_doubt"}},
		"a clock of 1970":                  {[]string{"clock_not_set", "clock_wrong"}, map[string]string{"clock_wrong": "clock_not_set"}},
		"a full disk and no broker either": {[]string{"no_space", "broker_away", "renewal_failing"}, map[string]string{"renewal_failing": "no_space"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, condition.Causes(tt.held)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever holds, something of it is shown: no condition leads back to itself.
func TestNoConditionIsItsOwnCause(t *testing.T) {
	t.Parallel()
	var all []string
	declared := map[string]bool{}
	for _, d := range condition.Declared() {
		all = append(all, string(d.Code))
		declared[string(d.Code)] = true
	}
	for code, cause := range condition.Causes(all) {
		if len(condition.Because(cause)) > 0 && condition.Causes(all)[cause] != "" {
			t.Errorf("%s is because of %s, which has a cause itself", code, cause)
		}
	}
	for _, code := range all {
		for _, by := range condition.Because(code) {
			if !declared[by] {
				t.Errorf("%s is because of %s, which is not declared", code, by)
			}
			for _, back := range condition.Because(by) {
				if back == code {
					t.Errorf("%s and %s are each other's cause", code, by)
				}
			}
		}
	}
}
