package storetest_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

func TestTheFakeKeyringIsAKeychain(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"no limit": 0, "4 KiB": 4 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := storetest.NewKeyring()
			ring.SetMax(limit)
			storetest.RunKeychain(t, func(*testing.T) store.Keychain { return ring.Client(nil) })
		})
	}
}
