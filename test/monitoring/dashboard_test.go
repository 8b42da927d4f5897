package monitoring_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/agentkeys/agentkeys/internal/words"
)

// dashboard is what the tests read of the file.
type dashboard struct {
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Grid        grid   `json:"gridPos"`
	Targets     []struct {
		Expr string `json:"expr"`
		Ref  string `json:"refId"`
	} `json:"targets"`
	Fields struct {
		Defaults struct {
			Unit     string `json:"unit"`
			Mappings []struct {
				Options map[string]struct{ Text string } `json:"options"`
			} `json:"mappings"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

// grid is a place on a page of 24 columns.
type grid struct{ X, Y, W, H int }

func (g grid) overlaps(o grid) bool {
	return g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H
}

func theDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, filepath.Join(root, "packaging", "grafana", "agentkeys.json"))), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("no panels")
	}
	return d
}

func (d dashboard) queries() map[string]string {
	out := map[string]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			out[fmt.Sprintf("%d %s %s", p.ID, p.Title, q.Ref)] = q.Expr
		}
	}
	return out
}

func TestPanelsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	d := theDashboard(t)
	for i, p := range d.Panels {
		if p.Grid.X < 0 || p.Grid.W <= 0 || p.Grid.H <= 0 || p.Grid.X+p.Grid.W > 24 {
			t.Errorf("%s: no place on 24 columns: %+v", p.Title, p.Grid)
		}
		for _, o := range d.Panels[:i] {
			if o.ID == p.ID {
				t.Errorf("%s and %s: id %d", o.Title, p.Title, p.ID)
			}
			if o.Grid.overlaps(p.Grid) {
				t.Errorf("%s and %s overlap: %+v, %+v", o.Title, p.Title, o.Grid, p.Grid)
			}
		}
	}
}

func TestPanelsSayWhatTheyShow(t *testing.T) {
	t.Parallel()
	units := []string{"s", "short", "none", "reqps", "percentunit"}
	for _, p := range theDashboard(t).Panels {
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: description %q, %d queries", p.ID, p.Title, p.Description, len(p.Targets))
		}
		if !slices.Contains(units, p.Fields.Defaults.Unit) {
			t.Errorf("%s: unit %q", p.Title, p.Fields.Defaults.Unit)
		}
		for _, q := range p.Targets {
			if seconds := strings.Contains(q.Expr, "_seconds") && !strings.Contains(q.Expr, "_seconds_count") &&
				p.Type == "timeseries" && p.Fields.Defaults.Unit != "percentunit"; seconds && p.Fields.Defaults.Unit != "s" {
				t.Errorf("%s shows seconds with the unit %q", p.Title, p.Fields.Defaults.Unit)
			}
		}
	}
}

// TestRowsOfTheDashboard holds that each level of the fleet has its row.
func TestRowsOfTheDashboard(t *testing.T) {
	t.Parallel()
	var rows, kinds []string
	for _, p := range theDashboard(t).Panels {
		kinds = append(kinds, p.Type)
		if p.Type == "row" {
			rows = append(rows, p.Title)
		}
	}
	for _, want := range []string{"Fleet", "Board: $board", "Instance: $wallet", "Broker", "Exporter"} {
		if !slices.Contains(rows, want) {
			t.Errorf("no row %s: %v", want, rows)
		}
	}
	for _, want := range []string{"state-timeline", "heatmap", "table"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no panel of the kind %s", want)
		}
	}
}

func TestTheDashboardNamesMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := exposed(t)
	d := theDashboard(t)
	for name, query := range d.queries() {
		for _, fault := range faults(query, known) {
			t.Errorf("%s: %s", name, fault)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		for _, fault := range faults(v.Definition, known) {
			t.Errorf("variable %s: %s", v.Name, fault)
		}
	}
}

// TestPromtoolReadsTheQueries gives every query to promtool, as a recording rule.
func TestPromtoolReadsTheQueries(t *testing.T) {
	t.Parallel()
	var list []rule
	fill := strings.NewReplacer("$__rate_interval", "5m", "$board", ".*", "$wallet", ".*")
	for name, query := range theDashboard(t).queries() {
		list = append(list, rule{Record: "dashboard:query", Expr: fill.Replace(query), Labels: map[string]string{"of": name}})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": asRules(list)}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.rules.yml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint-fatal", path)
}

// asRules leaves out what a recording rule may not have.
func asRules(list []rule) []any {
	var out []any
	for _, r := range list {
		out = append(out, map[string]any{"record": r.Record, "expr": r.Expr, "labels": r.Labels})
	}
	return out
}

var variablePattern = regexp.MustCompile(`\$\{?(\w+)`)

// TestVariablesOfTheDashboard holds that each variable is used, and each that is used exists.
func TestVariablesOfTheDashboard(t *testing.T) {
	t.Parallel()
	d := theDashboard(t)
	declared := map[string]bool{"__rate_interval": true, "__all": true} // Grafana's own
	for _, v := range d.Templating.List {
		declared[v.Name] = true
	}
	used := map[string]bool{}
	text := read(t, filepath.Join(root, "packaging", "grafana", "agentkeys.json"))
	for _, m := range variablePattern.FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
		if !declared[m[1]] {
			t.Errorf("$%s is no variable of the dashboard", m[1])
		}
	}
	for name := range declared {
		if !used[name] {
			t.Errorf("$%s is used by no query", name)
		}
	}
}

var weightedPattern = regexp.MustCompile(`(?:(\d) \* )?agentkeys_(?:keychain_state|storage_backend)\{(?:state|backend)="(\w+)"`)

// TestTimelinesNameEveryState holds that the number that a query makes of each state is shown
// as that state.
func TestTimelinesNameEveryState(t *testing.T) {
	t.Parallel()
	want := map[string]int{"Keychain state": len(words.KeychainStates()), "Storage backend": len(words.Backends())}
	for _, p := range theDashboard(t).Panels {
		n, ok := want[p.Title]
		if !ok {
			continue
		}
		delete(want, p.Title)
		shown := weightedPattern.FindAllStringSubmatch(p.Targets[0].Expr, -1)
		if len(shown) != n || len(p.Fields.Defaults.Mappings) != 1 || len(p.Fields.Defaults.Mappings[0].Options) != n {
			t.Errorf("%s: %d states of %d", p.Title, len(shown), n)
			continue
		}
		for _, m := range shown {
			weight := m[1]
			if weight == "" {
				weight = "1"
			}
			if text := p.Fields.Defaults.Mappings[0].Options[weight].Text; text != m[2] {
				t.Errorf("%s: %s is shown as %q", p.Title, m[2], text)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no such panel: %v", want)
	}
}
