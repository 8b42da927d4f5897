package monitoring_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/agentkeys/agentkeys/test/needs"
)

const (
	shipped = root + "/packaging/prometheus"
	runbook = "https://github.com/agentkeys/agentkeys/blob/main/docs/monitoring.md#"
)

// rule is a recording rule or an alert.
type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// rules are those of every file that ships.
func rules(t *testing.T) []rule {
	t.Helper()
	var out []rule
	for _, path := range files(t, shipped, "*.rules.yml") {
		var file struct {
			Groups []struct {
				Rules []rule `yaml:"rules"`
			} `yaml:"groups"`
		}
		unmarshal(t, path, &file)
		for _, g := range file.Groups {
			out = append(out, g.Rules...)
		}
	}
	return out
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

func unmarshal(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// files are those of dir with such a name; at least one.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s/%s: %v, %v", dir, pattern, paths, err)
	}
	return paths
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	needs.Programs(t, "promtool")
	if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolTakesTheRules(t *testing.T) {
	t.Parallel()
	promtool(t, append([]string{"check", "rules", "--lint-fatal"}, files(t, shipped, "*.rules.yml")...)...)
}

func TestPromtoolTakesTheConfigurations(t *testing.T) {
	t.Parallel()
	for _, path := range files(t, shipped, "*.yml") {
		if !strings.HasSuffix(path, ".rules.yml") {
			promtool(t, "check", "config", path)
		}
	}
	promtool(t, "check", "config", "--agent", filepath.Join(shipped, "push.yml"))
}

func TestTheCasesOfTheAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, append([]string{"test", "rules"}, files(t, "testdata", "*.test.yml")...)...)
}

// TestEachAlertHasBothCases holds that each alert is seen to fire and seen not to fire.
func TestEachAlertHasBothCases(t *testing.T) {
	t.Parallel()
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, path := range files(t, "testdata", "*.test.yml") {
		var file struct {
			Tests []struct {
				Cases []struct {
					Alert string `yaml:"alertname"`
					Want  []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}
		unmarshal(t, path, &file)
		for _, test := range file.Tests {
			for _, c := range test.Cases {
				fires[c.Alert] = fires[c.Alert] || len(c.Want) > 0
				quiet[c.Alert] = quiet[c.Alert] || len(c.Want) == 0
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !quiet[a.Alert] {
			t.Errorf("%s: a case that fires: %v, one that does not: %v", a.Alert, fires[a.Alert], quiet[a.Alert])
		}
	}
}

// TestEachAlertLeadsToACommand holds that the section that an alert links to exists, and has a
// line to type.
func TestEachAlertLeadsToACommand(t *testing.T) {
	t.Parallel()
	sections := sections(read(t, filepath.Join(root, "docs", "monitoring.md")))
	for _, a := range alerts(t) {
		name, ok := strings.CutPrefix(a.Annotations["runbook_url"], runbook)
		text, there := sections[name]
		switch {
		case !ok || !there:
			t.Errorf("%s: runbook_url %q leads to no heading", a.Alert, a.Annotations["runbook_url"])
		case !strings.Contains(text, "\n    "):
			t.Errorf("%s: section %s has no command to type", a.Alert, name)
		}
		if a.Annotations["summary"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s: summary %q, severity %q", a.Alert, a.Annotations["summary"], a.Labels["severity"])
		}
	}
}

var headingPattern = regexp.MustCompile(`(?m)^#+ (.+)$`)

// sections are the texts below each heading, by the heading's name in links.
func sections(text string) map[string]string {
	out := map[string]string{}
	at := headingPattern.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		out[strings.ReplaceAll(strings.ToLower(text[m[2]:m[3]]), " ", "-")] = text[m[1]:end]
	}
	return out
}

func TestSections(t *testing.T) {
	t.Parallel()
	got := sections("# A page\nx\n## Instance down\n\n    type\n### Next\n")
	want := map[string]string{"a-page": "\nx\n", "instance-down": "\n\n    type\n", "next": "\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRulesNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := exposed(t)
	for _, r := range rules(t) {
		if r.Record != "" {
			known[r.Record] = labels{"wallet": nil}
		}
	}
	for _, r := range rules(t) {
		for _, fault := range faults(r.Expr, known) {
			t.Errorf("%s%s: %s", r.Alert, r.Record, fault)
		}
	}
}

// TestTargetsOfAFleet holds what the filter makes of the owner's list.
func TestTargetsOfAFleet(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "jq")
	const agents = `[
		{"wallet": "0xaa", "state": "online", "host": "hermes"}, {"wallet": "0xbb", "state": "offline", "host": "hermes"},
		{"wallet": "0xcc", "state": "lapsed", "host": "iris.local"}, {"wallet": "0xdd", "state": "never_seen", "host": ""},
		{"wallet": "0xee", "state": "online", "host": "evil:80/x?"}, {"wallet": "0xff", "state": "online", "host": "-x"}]`
	const want = `[{"targets":["hermes:9478"],"labels":{"instance":"hermes"}},{"targets":["iris.local:9478"],"labels":{"instance":"iris.local"}}]`
	cmd := exec.CommandContext(t.Context(), "jq", "-c", "-f", filepath.Join(shipped, "fleet-targets.jq"))
	cmd.Stdin = strings.NewReader(agents)
	got, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("%v\n%s", err, got)
	}
}
