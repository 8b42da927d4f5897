package main

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/stdio"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/words"
)

func TestAFaultIsToldOnce(t *testing.T) {
	t.Parallel()
	type told struct {
		Code string
		Exit int
		Hint string
	}
	for name, test := range map[string]struct {
		err  error
		want told
	}{
		"a socket that this user may not reach": {
			&localclient.UnreachableError{Path: "/run/x", Err: fmt.Errorf("dial: %w", fs.ErrPermission)},
			told{"denied", words.ExitDenied, "run it as root or as the daemon's user"},
		},
		"a daemon that is not there": {
			&localclient.UnreachableError{Path: "/run/x", Err: fs.ErrNotExist}, told{"daemon_away", words.ExitUnreachable, "agentkeys-daemon status"},
		},
		"a locked keychain in the owner's slot": {
			fmt.Errorf("load: %w", &store.UnavailableError{State: "locked"}),
			told{"keychain_unavailable", words.ExitFault, "unlock the keychain, or set AGENTKEYS_SESSION_STORE=file before `agentkeys init`"},
		},
		"a locked keychain in an agent's slot": {
			agentSlotFault(fmt.Errorf("load: %w", &store.UnavailableError{State: "locked"}), daemonID(t)),
			told{"keychain_unavailable", words.ExitFault, "unlock the keychain, then: agentkeys-daemon probe"},
		},
		"a broker whose disk is full": {
			fmt.Errorf("revoke bot: %w", &protocol.Problem{Status: 503, Code: protocol.CodeReadOnly, Detail: "no space"}),
			told{"read_only", words.ExitUnreachable, "on the broker's machine: df -h; sudo journalctl -u agentkeys-broker"},
		},
		"an answer that could not be written": { // the disk is not the home's
			fmt.Errorf("print: %w", fmt.Errorf("%w: %w", stdio.ErrOutput, syscall.ENOSPC)), told{"error", words.ExitFault, ""},
		},
		"anything else": {fs.ErrInvalid, told{"error", words.ExitFault, ""}},
	} {
		f := failureOf(test.err)
		if diff := cmp.Diff(test.want, told{f.Code, f.Exit, f.Hint}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func daemonID(t *testing.T) session.ID {
	t.Helper()
	id, err := session.ParseID("daemon-0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
	if err != nil {
		t.Fatal(err)
	}
	return id
}
