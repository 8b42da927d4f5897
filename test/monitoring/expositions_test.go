package monitoring_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

var (
	samplePattern   = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? \S+$`)
	labelPattern    = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	selectorPattern = regexp.MustCompile(`([a-zA-Z_]\w*(?::\w+)*)(?:\{([^}]*)\})?`)
	matcherPattern  = regexp.MustCompile(`([a-z_]+) *(=~|!~|!=|=) *"([^"]*)"`)
)

// labels are the values of each label that a sample name has.
type labels map[string][]string

// exposed are the samples of the three programs, by name, as the golden files of their packages
// show them.
func exposed(t *testing.T) map[string]labels {
	t.Helper()
	found := map[string]labels{}
	for _, depth := range []string{"*", "*/*"} {
		paths, err := filepath.Glob(filepath.Join(root, "internal", depth, "testdata", "metrics.golden"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			add(found, read(t, path))
		}
	}
	for _, one := range []string{"agentkeys_condition", "agentkeys_broker_read_only", "agentkeys_instance_up"} {
		if found[one] == nil {
			t.Fatalf("no golden file has %s: one of the programs is not read", one)
		}
	}
	return found
}

func add(found map[string]labels, text string) {
	for _, m := range samplePattern.FindAllStringSubmatch(text, -1) {
		if found[m[1]] == nil {
			found[m[1]] = labels{}
		}
		for _, l := range labelPattern.FindAllStringSubmatch(m[2], -1) {
			found[m[1]][l[1]] = append(found[m[1]][l[1]], l[2])
		}
	}
}

// whole are the families that have a series for each value of this label at every time, so that
// a query for another value can never have an answer.
func whole() map[string]string {
	return map[string]string{
		"agentkeys_condition": "code", "agentkeys_keychain_state": "state", "agentkeys_storage_backend": "backend",
	}
}

// scraped are the labels that a scraper adds to every series.
func scraped() []string { return []string{"instance", "job"} }

// faults says what in a query of PromQL no program answers: names of ours that are not exposed,
// labels that such a name has not, and values that a label never has.
func faults(query string, known map[string]labels) []string {
	var out []string
	count := 0
	for _, m := range selectorPattern.FindAllStringSubmatch(query, -1) {
		name := m[1]
		if name == "up" || name == "ALERTS" {
			count++
		}
		if !strings.HasPrefix(name, "agentkeys_") && !strings.HasPrefix(name, "process_") && !strings.Contains(name, ":") {
			continue
		}
		count++
		have, ok := known[name]
		if !ok {
			out = append(out, "no program has "+name)
			continue
		}
		for _, l := range matcherPattern.FindAllStringSubmatch(m[2], -1) {
			out = append(out, fault(name, have, l[1], l[3])...)
		}
	}
	if count == 0 {
		out = append(out, "it names no metric")
	}
	return out
}

// fault is what is wrong with one matcher of a selector.
func fault(name string, have labels, label, value string) []string {
	if slices.Contains(scraped(), label) {
		return nil
	}
	values, ok := have[label]
	if !ok {
		return []string{fmt.Sprintf("%s has no label %s", name, label)}
	}
	if whole()[name] != label {
		return nil
	}
	var out []string
	for one := range strings.SplitSeq(value, "|") {
		if !slices.Contains(values, one) {
			out = append(out, fmt.Sprintf("%s never has %s=%q", name, label, one))
		}
	}
	return out
}

func TestFaultsOfAQuery(t *testing.T) {
	t.Parallel()
	known := map[string]labels{}
	add(known, "agentkeys_condition{code=\"no_space\",wallet=\"0xaa\"} 1\nagentkeys_in_doubt{wallet=\"0xaa\"} 0\n")
	for query, want := range map[string]string{
		`agentkeys_condition{code="no_space", instance=~"$board"} == 1`: "",
		`up{job="agentkeys"} == 0`:                                      "",
		`max by (wallet) (agentkeys_in_doubt)`:                          "",
		`agentkeys_conditions == 1`:                                     "no program has agentkeys_conditions",
		`agentkeys_in_doubt{code="no_space"}`:                           "agentkeys_in_doubt has no label code",
		`agentkeys_condition{code!~"no_space|no_spice"}`:                `agentkeys_condition never has code="no_spice"`,
		`wallet:agentkeys_in_doubt:sum`:                                 "no program has wallet:agentkeys_in_doubt:sum",
		`vector(0)`:                                                     "it names no metric",
	} {
		if got := strings.Join(faults(query, known), "; "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
