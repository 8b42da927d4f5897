package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/words"
)

// A revoked slot is not waited for and looks like none that is good, though no daemon runs.
func TestARevokedSlotWithoutADaemonIsDenied(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	savedEnded(t, home)
	environ := []string{"AGENTKEYS_HOME=" + home, "AGENTKEYS_CONFIG_DIR=" + home, "HOME=" + home}
	ends := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if exit := run(t.Context(), append([]string{name}, args...), environ, strings.NewReader(""), &out, &errs); exit != want {
			t.Errorf("%v: exit %d, want %d\n%s%s", args, exit, want, out.String(), errs.String())
		}
		return out.String()
	}
	var st protocol.Status
	if err := json.Unmarshal([]byte(ends(words.ExitDenied, "status", "--json")), &st); err != nil {
		t.Fatal(err)
	}
	if st.Session == nil || st.Session.ExpiresAt != 1790000300 || len(st.Conditions) != 1 || st.Conditions[0].Code != "session_revoked" {
		t.Errorf("%+v %+v", st.Session, st.Conditions)
	}
	ends(words.ExitDenied, "wait", "--wallet", online, "--timeout", "1m")
}
