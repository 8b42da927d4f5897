package e2e_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

func TestDoctorOfAKeyringThatAnswersNothing(t *testing.T) {
	t.Parallel()
	m, ring, _ := kept(t, keyringtest.Unlocked)
	ring.Stop()
	defer ring.Continue()
	m.doctor("agentkeys-daemon")[0].has("keychain", "fail", "hung")
}
