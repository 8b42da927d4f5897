package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/agentkeys/agentkeys/internal/cli"
)

func columns() []cli.Column {
	return []cli.Column{{Title: "ALIAS", Min: 6}, {Title: "STATE"}, {Title: "HOST", Drop: 1, Min: 4}, {Title: "WALLET", Drop: 2}}
}

func rows() [][]string {
	return [][]string{
		{"hermes-of-the-kitchen", "online", "pi-kitchen", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"},
		{"iris", "parked", "evil\x1b[2J", "-"},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		width   int
		want    string
		dropped []string
	}{
		"all of it": {0, "" +
			"ALIAS                  STATE   HOST        WALLET\n" +
			"hermes-of-the-kitchen  online  pi-kitchen  0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\n" +
			"iris                   parked  evil?[2J    -\n", nil},
		"80 columns": {80, "" +
			"ALIAS                  STATE   HOST\n" +
			"hermes-of-the-kitchen  online  pi-kitchen\n" +
			"iris                   parked  evil?[2J\n", []string{"WALLET"}},
		"a phone": {20, "" +
			"ALIAS         STATE\n" +
			"hermes-of...  online\n" +
			"iris          parked\n", []string{"HOST", "WALLET"}},
		"too narrow for any of it": {5, "" +
			"ALIAS   STATE\n" +
			"her...  online\n" +
			"iris    parked\n", []string{"HOST", "WALLET"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			dropped, err := cli.Table{Columns: columns(), Width: tt.width}.Write(&out, rows())
			if err != nil || out.String() != tt.want {
				t.Errorf("%v\n%s", err, cmp.Diff(tt.want, out.String()))
			}
			if diff := cmp.Diff(tt.dropped, dropped); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// No line is wider than the terminal as long as the columns that must stay have room.
func TestATableFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(20, 200).Draw(t, "width")
		cell := rapid.StringMatching(`[a-z]{0,30}`)
		var list [][]string
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			list = append(list, []string{cell.Draw(t, "alias"), rapid.SampledFrom([]string{"online", "offline"}).Draw(t, "state"), cell.Draw(t, "host"), cell.Draw(t, "wallet")})
		}
		var out bytes.Buffer
		if _, err := (cli.Table{Columns: columns(), Width: width}).Write(&out, list); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if len(line)-1 > width {
				t.Fatalf("%d columns, %d allowed: %q", len(line)-1, width, line)
			}
		}
	})
}
