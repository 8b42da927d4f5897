package store_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"maps"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// table is one table of the package comment: for each state its cells, by column.
type table map[string]map[string]string

var columnGap = regexp.MustCompile(` {2,}`)

// readTables reads the tables of the package comment. A table is an indented block whose
// first word is "state". It returns the table of states, and the others merged.
func readTables(t *testing.T) (states, transitions table) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var tables []table
	var columns []string
	for line := range strings.Lines(file.Doc.Text()) {
		row, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "\t")
		cells := columnGap.Split(row, -1)
		switch {
		case !indented:
			columns = nil
		case cells[0] == "state":
			columns, tables = cells, append(tables, table{})
		case columns != nil:
			if len(cells) != len(columns) {
				t.Fatalf("%d cells under %d columns: %q", len(cells), len(columns), row)
			}
			last := tables[len(tables)-1]
			if last[cells[0]] != nil {
				t.Fatalf("two rows of one state: %q", row)
			}
			last[cells[0]] = map[string]string{}
			for i, cell := range cells[1:] {
				last[cells[0]][columns[1+i]] = cell
			}
		}
	}
	if len(tables) < 2 {
		t.Fatalf("%d tables in the package comment", len(tables))
	}
	return tables[0], merge(t, tables[0], tables[1:])
}

// merge puts the columns of several tables side by side. Each must have every state.
func merge(t *testing.T, states table, tables []table) table {
	t.Helper()
	all := table{}
	for _, one := range tables {
		if !slices.Equal(slices.Sorted(maps.Keys(one)), slices.Sorted(maps.Keys(states))) {
			t.Fatalf("a table has the states %v, not all", slices.Sorted(maps.Keys(one)))
		}
		for state, cells := range one {
			if all[state] == nil {
				all[state] = map[string]string{}
			}
			maps.Copy(all[state], cells)
		}
	}
	return all
}

// stateFixture is one slot whose state a test reads from its head file.
type stateFixture struct {
	*fixture
	states table
}

func newStateFixture(t *testing.T, states table) *stateFixture {
	t.Helper()
	b := &stateFixture{newFixture(t, words.ModeAuto), states}
	b.id = session.DaemonID(wallet.New())
	return b
}

// state is the state of the head file, by the columns of the table of states.
func (b *stateFixture) state(t *testing.T) string {
	t.Helper()
	files, dir := b.disk.Files(), b.Dir(b.id)
	text, saved := files[path.Join(dir, "session.json")]
	head, pending, note := "none", "no", "-"
	if _, aside := files[path.Join(dir, "session.json.corrupt-1")]; aside && !saved {
		head = "set aside"
	}
	if saved {
		head, pending, note = columnsOf(t, text)
	}
	for name, row := range b.states {
		if row["head"] == head && row["pending"] == pending && slices.Contains(strings.Split(row["keychain"], " or "), note) {
			return name
		}
	}
	t.Fatalf("a head in no state of the table: %s, pending %s, keychain %s", head, pending, note)
	return ""
}

// columnsOf gives what the table of states says of a head.
func columnsOf(t *testing.T, text string) (head, pending, note string) {
	t.Helper()
	var h struct {
		Generation, Pending uint64
		Where               string
		Tombstone           bool
		Keychain            *struct {
			InDoubt *struct{} `json:"in_doubt"`
			Removed *struct{}
		}
	}
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	head, pending, note = "where "+h.Where, "no", "-"
	switch {
	case h.Tombstone:
		head = "tombstone"
	case h.Generation == 0:
		head = "generation 0"
	}
	if h.Pending > 0 {
		pending = "yes"
	}
	switch k := h.Keychain; {
	case k == nil:
	case k.InDoubt != nil:
		note = "fence"
	case k.Removed != nil:
		note = "removed"
	default:
		note = "note"
	}
	return head, pending, note
}

// TestEveryHeadIsInTheTable runs random histories: no call leaves a head that the table of
// states does not have.
func TestEveryHeadIsInTheTable(t *testing.T) {
	needs.Sequential(t)
	t.Parallel()
	states, _ := readTables(t)
	seen := map[string]bool{}
	for _, mode := range modes() {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			m := newMachine(mode, storeMaker)
			b := &stateFixture{&fixture{Store: storeOf(m, 0), disk: m.disk, id: m.id}, states}
			for range historySteps {
				m.run(named{t, seed}, 1, allSteps(), func(_ string, n int) int { return random.IntN(n) })
				seen[b.state(t)] = true
			}
		}
	}
	t.Logf("states seen: %v", slices.Sorted(maps.Keys(seen)))
}
