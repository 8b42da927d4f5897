package protocol_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

func someRow(t testing.TB) protocol.AuditRow {
	t.Helper()
	w, err := wallet.Parse("0x00000000000000000000000000000000000000aa")
	if err != nil {
		t.Fatal(err)
	}
	return protocol.AuditRow{
		Number: 2, Time: 1700000000, Agent: w, Service: "openrouter", Action: protocol.ActionAccessGranted,
		Result: "ok", Where: "local", Detail: "uid=1000 \"unit\"\n\u6811\U0001f967\xff",
	}
}

// The golden values hold over releases: owners keep the head that they saw.
func TestChainRowGolden(t *testing.T) {
	t.Parallel()
	first := protocol.ChainRow("", protocol.AuditRow{Number: 1, Time: 1, Action: protocol.ActionAccountCreated, Result: "ok", Where: "broker"})
	if want := "b8528dd59e2bc9eabe416ec5c17593780a18c33e6696e5cb146f4c4839ab44fa"; first != want {
		t.Errorf("first row: got %s, want %s", first, want)
	}
	if got, want := protocol.ChainRow(first, someRow(t)), "53afdc6b267f23b9976e60f5f6537223f277640156690922baf8b832f43885be"; got != want {
		t.Errorf("second row: got %s, want %s", got, want)
	}
}

func TestEveryFieldOfARowIsInItsHash(t *testing.T) {
	t.Parallel()
	const previous = "0000000000000000000000000000000000000000000000000000000000000000"
	row := someRow(t)
	base := protocol.ChainRow(previous, row)
	if protocol.ChainRow(strings.Replace(previous, "0", "1", 1), row) == base || protocol.ChainRow("", row) == base {
		t.Error("the predecessor is not in the hash")
	}
	for name, change := range map[string]func(*protocol.AuditRow){
		"number":   func(r *protocol.AuditRow) { r.Number++ },
		"time":     func(r *protocol.AuditRow) { r.Time++ },
		"agent":    func(r *protocol.AuditRow) { r.Agent = wallet.New() },
		"no agent": func(r *protocol.AuditRow) { r.Agent = wallet.Wallet{} },
		"service":  func(r *protocol.AuditRow) { r.Service += "x" },
		"action":   func(r *protocol.AuditRow) { r.Action = protocol.ActionAccessDenied },
		"result":   func(r *protocol.AuditRow) { r.Result = "denied" },
		"where":    func(r *protocol.AuditRow) { r.Where = "broker" },
		"detail":   func(r *protocol.AuditRow) { r.Detail = strings.Replace(r.Detail, "\xff", "\ufffd", 1) },
	} {
		changed := row
		change(&changed)
		if protocol.ChainRow(previous, changed) == base {
			t.Errorf("%s is not in the hash", name)
		}
	}
	row.SHA256 = "x"
	if protocol.ChainRow(previous, row) != base {
		t.Error("the hash depends on itself")
	}
}

// Text may hold quotes, line ends and the separators themselves; no two rows give one text.
func TestFieldsCannotShiftBetweenColumns(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("a\"\\\n \u00e4")), 0, 6, -1)
	draw := func(t *rapid.T, label string) protocol.AuditRow {
		return protocol.AuditRow{
			Number: rapid.Uint64Range(1, 12).Draw(t, label+" number"), Time: rapid.Int64Range(-1, 12).Draw(t, label+" time"),
			Service: text.Draw(t, label+" service"), Action: text.Draw(t, label+" action"), Result: text.Draw(t, label+" result"),
			Where: text.Draw(t, label+" where"), Detail: text.Draw(t, label+" detail"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		if rapid.Bool().Draw(t, "shift") { // the same text, cut at another place
			b = a
			all := a.Service + "\"\n\"" + a.Action
			cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
			b.Service, b.Action = all[:cut], all[cut:]
		}
		if (protocol.ChainRow("p", a) == protocol.ChainRow("p", b)) != (a == b) {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}
