package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/words"
)

// One cause is told once on the line of systemctl status too.
func TestTheLineForSystemdTellsEachCauseOnce(t *testing.T) {
	t.Parallel()
	const serves = "online: serving 2 credentials"
	for title, tt := range map[string]struct {
		state words.State
		line  string
		codes []condition.Code
		want  string
	}{
		"nothing is wrong":                {words.StateOnline, serves, nil, serves},
		"a warning is for status":         {words.StateOnline, serves, []condition.Code{condition.FellBackToFile}, serves},
		"a disk that is read only":        {words.StateOnline, serves, []condition.Code{condition.StateReadOnly, condition.RenewalFailing}, serves + "; the state directory cannot be written"},
		"a disk that is full":             {words.StateOnline, serves, []condition.Code{condition.NoSpace, condition.RenewalFailing}, serves + "; there is no space left for the state"},
		"a broker that is away":           {words.StateOffline, "offline: serving 2 credentials", []condition.Code{condition.BrokerAway, condition.RenewalFailing}, "offline: serving 2 credentials"},
		"for too long":                    {words.StateOffline, "offline for longer than the owner allows: nothing is served", []condition.Code{condition.BrokerAway, condition.OfflineTooLong}, "offline for longer than the owner allows: nothing is served"},
		"another broker":                  {words.StateOffline, "offline: serving 2 credentials", []condition.Code{condition.BrokerCertificateChanged}, "offline: serving 2 credentials; the broker's certificate is not the expected one"},
		"a session that lapsed":           {words.StateOffline, "offline: serving 2 credentials", []condition.Code{condition.BrokerAway, condition.SessionExpired}, "offline: serving 2 credentials; the broker does not accept this session any more"},
		"revoked":                         {words.StateRevoked, "revoked by the owner: nothing is served", []condition.Code{condition.SessionRevoked}, "revoked by the owner: nothing is served"},
		"waiting":                         {words.StateWaitingForKeychain, "waiting for the keychain: locked", []condition.Code{condition.KeychainLocked}, "waiting for the keychain: locked"},
		"blocked":                         {words.StateBlocked, "corrupt session file", []condition.Code{condition.SlotCorrupt}, "corrupt session file"},
		"refused settings, offline":       {words.StateOffline, "offline: serving 2 credentials", []condition.Code{condition.BrokerAway, condition.SettingsRefused}, "offline: serving 2 credentials; the settings were not taken at the last reload, and those before them go on"},
		"before the agent looked at all":  {"", "", []condition.Code{condition.ClockNotSet}, ""},
		"two causes that are independent": {words.StateOnline, serves, []condition.Code{condition.NoSpace, condition.RecordWithheld}, serves + "; there is no space left for the state; the broker does not deliver a credential that the owner listed"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			h := health.NewConditions(time.Now, slog.New(slog.DiscardHandler), online)
			for _, code := range tt.codes {
				h.Set(code, true, "a detail")
			}
			n := &notifier{health: h, state: tt.state, line: tt.line}
			if got := n.told(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
