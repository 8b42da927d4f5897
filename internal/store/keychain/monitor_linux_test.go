package keychain_test

import (
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

// godbus panics when a message comes while a connection that eavesdrops is closed.
func TestAMonitorEndsBesideCalls(t *testing.T) {
	t.Parallel()
	address := keyringtest.StartBus(t)
	conn := keyringtest.Connect(t, address)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = conn.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err // only the monitor minds
			}
		}
	}()
	for range 100 {
		t.Run("monitor", func(t *testing.T) { keyringtest.StartMonitor(t, address) }) //nolint:paralleltest // one after the other
	}
	close(stop)
	<-done
}
