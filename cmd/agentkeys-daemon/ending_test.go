package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/agentkeys/agentkeys/internal/supervise"
	"github.com/agentkeys/agentkeys/internal/systemd/notify"
)

// Exit code 0 is for a stop that was asked for, and for nothing else.
func TestADaemonThatEndsByItselfIsAFault(t *testing.T) {
	t.Parallel()
	i := &instance{log: slog.New(slog.DiscardHandler), notify: notify.New(func(string) string { return "" }, 1)}
	done := supervise.Func("done", func(context.Context) error { return nil })
	if err := i.run(t.Context(), []supervise.Task{done}); !errors.Is(err, errEnded) {
		t.Errorf("unasked: %v", err)
	}
	asked, stop := context.WithCancel(t.Context())
	stop()
	waits := supervise.Func("waits", func(ctx context.Context) error { <-ctx.Done(); return nil })
	if err := i.run(asked, []supervise.Task{waits}); err != nil {
		t.Errorf("asked: %v", err)
	}
}
