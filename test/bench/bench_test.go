package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTableSaysWhatIsOver(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := &table{out: &out}
	table.head()
	table.most("small enough", 1, 1, "MB")
	table.most("too big", 1.01, 1, "MB")
	table.least("fast enough", 0.5, 0.5, "")
	table.least("too slow", 0.49, 0.5, "")
	table.fact("a fact", 3, "/s")
	table.missing("no number", "no keyring")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if table.over != 2 || len(lines) != 8 || strings.Count(out.String(), "OVER") != 2 {
		t.Errorf("%d over\n%s", table.over, &out)
	}
	for _, l := range lines {
		if strings.Count(l, "|") != 5 {
			t.Errorf("not a row of four columns: %s", l)
		}
	}
}

func TestNumbersOfProc(t *testing.T) {
	t.Parallel()
	const status = "Name:\tx\nVmRSS:\t   14892 kB\nRssAnon:\t 3944 kB\nvoluntary_ctxt_switches:\t17\nnonvoluntary_ctxt_switches:\t3\n"
	for key, want := range map[string]int64{"VmRSS:": 14892, "RssAnon:": 3944, "\nvoluntary_ctxt_switches:": 17} {
		if got, err := number(status, key); err != nil || got != want {
			t.Errorf("%q: %d, %v", key, got, err)
		}
	}
	for _, text := range []string{"", "VmRSS:", "VmRSS: many kB"} {
		if n, err := number(text, "VmRSS:"); err == nil {
			t.Errorf("%q: %d", text, n)
		}
	}
}

func TestTheBareHandlerAnswersAsTheDaemonDoes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	socket := filepath.Join(t.TempDir(), "s")
	ended := make(chan error, 1)
	go func() { ended <- serveBare(ctx, socket) }()
	c := over(socket)
	h := &host{}
	if err := h.serving(ctx, c); err != nil {
		t.Fatal(err)
	}
	body, err := get(ctx, c, "/v1/credentials/openrouter")
	if err != nil || !strings.Contains(body, `"credential":"`) {
		t.Errorf("%q, %v", body, err)
	}
	c.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"bench", "-nonsense"}, &out, &errs); code != 64 {
		t.Errorf("exit %d", code)
	}
	if code := run(t.Context(), []string{"bench", "-bin", t.TempDir(), "-bare", "/nonexistent/s"}, &out, &errs); code != 1 {
		t.Errorf("exit %d", code)
	}
}
