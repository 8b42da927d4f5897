package exporter_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/exporter"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/test/needs"
)

var update = flag.Bool("update", false, "write the golden file")

// timed are the samples that differ from run to run.
var timed = regexp.MustCompile(`(?m)^(agentkeys_exporter_\w+_seconds) .*$`)

// own are the lines of an exposition that no instance made.
func own(text string) string {
	var out strings.Builder
	keep := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# HELP ") {
			keep = strings.HasPrefix(line, "# HELP agentkeys_exporter_") || strings.HasPrefix(line, "# HELP agentkeys_instance_")
		}
		if keep {
			out.WriteString(line)
		}
	}
	return timed.ReplaceAllString(out.String(), "$1 1")
}

func TestTheWholeExposition(t *testing.T) {
	t.Parallel()
	e := exporter.New(exporter.Config{
		Find: func(context.Context) ([]exporter.Instance, error) {
			return []exporter.Instance{
				{Wallet: parse(t, first), Socket: listen(t, instance(first)), User: "agentkeys", Unit: "agentkeys-daemon@" + first + ".service"},
				{Wallet: parse(t, second)},
			}, nil
		},
		Aliases: func() (map[wallet.Wallet]string, error) {
			return map[wallet.Wallet]string{parse(t, first): "hermes"}, nil
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	got := own(get(t, e, "/metrics"))
	path := filepath.Join("testdata", "metrics.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestPromtoolAcceptsTheExposition(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "promtool")
	e := exporterOf(t,
		exporter.Instance{Wallet: parse(t, first), Socket: listen(t, instance(first))},
		exporter.Instance{Wallet: parse(t, second), Socket: listen(t, instance(second))},
	)
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(get(t, e, "/metrics"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// node_exporter must be able to read the file, and must never read half of it.
func TestTheTextFileIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "agentkeys.prom")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	e := exporterOf(t, exporter.Instance{Wallet: parse(t, first), Socket: listen(t, instance(first))})
	if err := e.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "agentkeys_instance_up{wallet=\""+first+"\"} 1\n") {
		t.Errorf("%v: %s", err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before := make([]byte, 4)
	if n, _ := old.Read(before); string(before[:n]) != "old" {
		t.Errorf("the old file was written into: %q", before)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if err := e.WriteFile(filepath.Join(dir, "gone", "x.prom")); err == nil {
		t.Error("a directory that is not there is no error")
	}
}
