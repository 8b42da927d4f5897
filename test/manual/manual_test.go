package manual_test

import (
	"flag"
	"testing"

	"github.com/agentkeys/agentkeys/test/manual"
	"github.com/agentkeys/agentkeys/test/manual/manualtest"
)

var update = flag.Bool("update", false, "write the golden files")

// keeper has one of everything, and texts that are something to every reader.
func keeper() manual.Program {
	return manual.Program{
		Name: "key-keeper",
		Flags: []manual.Flag{
			manual.Help(),
			{Name: "json", Help: "print JSON"},
			{Name: "url", Help: "where, http://[::1]:80 or so; 'quoted' \"twice\"", Value: "URL"},
			{Name: "mode", Help: `how: fast\slow or $HOME`, Value: "MODE", Choices: []string{"fast", "slow"}},
		},
		Commands: []manual.Command{
			{
				Name: "take", Help: "Take a thing; it's `yours`.", Operands: []manual.Operand{{Name: "THING", Help: "what"}},
				Flags: []manual.Flag{{Name: "from", Help: "a file", Value: "FILE", Needed: true}, {Name: "as", Value: "USER"}, {Name: "list", Help: "not the command", Repeats: true}},
			},
			{Name: "list", Help: "List things.", Flags: []manual.Flag{{Name: "below", Value: "DIR", Help: ".starts with a dot"}}},
			{Name: "open", Help: "Open a file.", Operands: []manual.Operand{{Name: "FILE", Takes: manual.File}, {Name: "MORE", Optional: true}}},
			{Name: "go", Help: "Go there.", Operands: []manual.Operand{{Name: "DIR", Takes: manual.Dir}}},
			{Name: "run", Help: "Run a program.", Operands: []manual.Operand{{Name: "PROGRAM", Takes: manual.Executable}}},
		},
	}
}

func TestManPage(t *testing.T) {
	t.Parallel()
	text := manualtest.ReadText(t, "testdata/key-keeper.1.txt")
	page, err := manual.Page(keeper(), text)
	if err != nil {
		t.Fatal(err)
	}
	manualtest.Page(t, *update, "testdata/key-keeper.1", page)
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	manualtest.Tab(t, keeper(), []manualtest.Press{
		{Line: "key-keeper ", Want: []string{"take", "list", "open", "go", "run"}, Never: []string{"file.txt"}},
		{Line: "key-keeper l", Want: []string{"list"}, Never: []string{"take"}},
		{Line: "key-keeper --", Want: []string{"--json", "--url", "--mode", "--help"}, Never: []string{"--from"}},
		{Line: "key-keeper --url take ", Want: []string{"list"}},
		{Line: "key-keeper --mode ", Want: []string{"fast", "slow"}, Never: []string{"take"}},
		{Line: "key-keeper --mode slow --json list --", Want: []string{"--below", "--url"}, Never: []string{"--from"}},
		{Line: "key-keeper take --", Want: []string{"--from", "--list", "--json", "--url"}, Never: []string{"--below"}},
		{Line: "key-keeper list --json --", Want: []string{"--below", "--url"}, Never: []string{"--from"}},
		{Line: "key-keeper take --url x --json --from ", Want: []string{"file.txt"}},
		{Line: "key-keeper --mode=f", Want: nil, Never: []string{"slow", "take"}},
		{Line: "key-keeper take list --", Want: []string{"--from"}, Never: []string{"--below"}},
		{Line: "key-keeper take "},
		{Line: "key-keeper take --from ", Want: []string{"file.txt"}},
		{Line: "key-keeper take --url "},
		{Line: "key-keeper take --as ro", Want: []string{"root"}, Never: []string{"file.txt"}},
		{Line: "key-keeper list --below ", Never: []string{"file.txt"}},
		{Line: "key-keeper list --below fo", Want: []string{"folder"}},
		{Line: "key-keeper list --mode f", Want: []string{"fast"}, Never: []string{"slow"}},
		{Line: "key-keeper open f", Want: []string{"file.txt"}},
		{Line: "key-keeper go fo", Want: []string{"folder"}},

		{Line: "key-keeper run -- ech", Want: []string{"echo"}, Never: []string{"--json"}},
		{Line: "key-keeper run -- cat --sh", Never: []string{"--json"}},
		{Line: "key-keeper run --json -- cat fi", Want: []string{"file.txt"}, Never: []string{"--json"}},
	})
}
