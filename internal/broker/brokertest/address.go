package brokertest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Reserved is an address on this machine whose port nobody listens on, and that a broker may come
// back to: it lies below those that the system gives for port 0 (32768 on Linux, 49152 on
// macOS), so no listener of another test takes it meanwhile. It is dialled and not tried by a
// listener, which a child of another test could have for a while. Until the test ends the
// number is kept from others, of this and of other packages, by a name in Linux's abstract
// sockets (elsewhere of this package only).
func Reserved(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(22_000))
		kept, err := new(net.ListenConfig).Listen(t.Context(), "unix", "@agentkeys-port-"+port)
		if err != nil {
			continue // another test's
		}
		t.Cleanup(func() { _ = kept.Close() })
		at := net.JoinHostPort("127.0.0.1", port)
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", at)
		if err != nil {
			return at
		}
		_ = conn.Close() // somebody's
	}
	t.Fatal("no free port from 10000 to 32000")
	return ""
}
