package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/stdio"
)

// The owner, whose agents stop lapsing, is told by a command and not by the broker's log.
func TestAgentsWarnsOfABrokerWhoseClockJumped(t *testing.T) {
	t.Parallel()
	srv := brokertest.Start(t)
	var said bytes.Buffer
	a := &app{
		ctx: t.Context(), stdout: stdio.NewOutput(io.Discard), stderr: &said, log: slog.New(slog.DiscardHandler),
		environ: []string{"AGENTKEYS_HOME=" + t.TempDir() + "/home", "AGENTKEYS_SESSION_STORE=file"}, global: global{Broker: srv.URL},
	}
	cfg, err := a.config()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Start(t.Context(), cfg, owner.Init{SetupToken: srv.SetupToken()}, func(owner.Opened) error { return nil }); err != nil {
		t.Fatal(err)
	}
	agents := func() string {
		t.Helper()
		said.Reset()
		if err := (agentsCmd{}).list(a); err != nil {
			t.Fatal(err)
		}
		return said.String()
	}
	if got := agents(); got != "" {
		t.Errorf("a clock that is right: %s", got)
	}
	srv.Clock.Jump(15 * 24 * time.Hour)
	if err := srv.Broker.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := agents(); !strings.Contains(got, "clock jumped") || !strings.Contains(got, doctor.HintBrokerClock) {
		t.Errorf("a clock that jumped: %q", got)
	}
}
