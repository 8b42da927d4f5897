package arch

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestModulesOfEachProgram holds what each program is made of. A new line is a
// decision: run the test with -update and say why in the commit.
func TestModulesOfEachProgram(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"agentkeys", "agentkeys-broker", "agentkeys-daemon", "agentkeys-exporter"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			got := listDeps(t, program, "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}")
			golden := filepath.Join("testdata", program+".modules")
			if *update {
				if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(string(want)), got); diff != "" {
				t.Errorf("modules of %s (-golden +built; -update to accept):\n%s", program, diff)
			}
		})
	}
}

func TestNoDatabaseOutsideTheBroker(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"agentkeys", "agentkeys-daemon", "agentkeys-exporter"} {
		for _, dep := range listDeps(t, program, "{{.ImportPath}}") {
			if dep == "database/sql" || strings.Contains(dep, "sqlite") || strings.HasPrefix(dep, module+"/internal/broker/") {
				t.Errorf("%s depends on %s", program, dep)
			}
		}
	}
}

// listDeps formats every package that a program is built from, over the two
// systems it is built for.
func listDeps(t *testing.T, program, format string) []string {
	t.Helper()
	var all []string
	for _, target := range [][]string{{"GOOS=linux", "GOARCH=arm64"}, {"GOOS=darwin", "GOARCH=arm64"}} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format, "./cmd/"+program)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), append(target, "CGO_ENABLED=0")...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, stderr.String())
		}
		all = append(all, strings.Fields(string(out))...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
