package brokertest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
	"testing"
)

// Reserved is an address on this machine whose port nobody listens on, and that a broker may come
// back to: it lies below those that the system gives for port 0 (32768 on Linux, 49152 on
// macOS), so no listener of another test takes it meanwhile; and no child of another test
// inherits the listener that tries it.
func Reserved(t testing.TB) string {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for range 100 {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(22_000)))
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", at)
		if err == nil {
			_ = l.Close()
			return at
		}
	}
	t.Fatal("no free port from 10000 to 32000")
	return ""
}
