package manager_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/systemd/manager"
	"github.com/agentkeys/agentkeys/internal/systemd/systemdtest"
)

const unit = "agentkeys-daemon@0x0000000000000000000000000000000000000001.service"

// connect connects to a fake systemd. The address is a variable of the process, so these
// tests do not run in parallel.
func connect(t *testing.T, result string) (*manager.Manager, *systemdtest.Systemd) {
	t.Helper()
	s := systemdtest.Start(t, result, "online")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", s.Address)
	m, err := manager.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, s
}

func TestStartEnablesReloadsAndWaits(t *testing.T) {
	m, s := connect(t, "done")
	for _, restart := range []bool{false, true} {
		status, err := m.Start(t.Context(), unit, restart)
		if status != "online" || err != nil {
			t.Errorf("%q, %v", status, err)
		}
	}
	want := []string{"enable " + unit, "reload", "reload-or-restart " + unit + " replace", "enable " + unit, "reload", "restart " + unit + " replace"}
	if diff := cmp.Diff(want, s.Calls()); diff != "" {
		t.Error(diff)
	}
}

func TestAJobThatFailsIsSaid(t *testing.T) {
	m, _ := connect(t, "failed")
	if _, err := m.Start(t.Context(), unit, false); !errors.Is(err, manager.ErrNotStarted) {
		t.Error(err)
	}
}

func TestAJobThatNeverEndsIsWaitedForOnlySoLong(t *testing.T) {
	m, s := connect(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // the deadline comes while the job runs, however long the way there took
		defer cancel()
		for !slices.Contains(s.Calls(), "reload-or-restart "+unit+" replace") && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := m.Start(ctx, unit, false); !errors.Is(err, manager.ErrNotStarted) {
		t.Error(err)
	}
}

func TestServicesAreListedWithTheirUser(t *testing.T) {
	m, s := connect(t, "done")
	s.Load("agentkeys", unit, "ssh.service")
	got, err := m.Services(t.Context(), "agentkeys-daemon@*.service")
	if diff := cmp.Diff([]manager.Unit{{Name: unit, User: "agentkeys"}}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
