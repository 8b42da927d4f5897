package brokertest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Reserved is an address on this machine on whose port no process listens, for a broker that
// stops and starts again there. Its port is below those that the system assigns for port 0
// (from 32768 on Linux, 49152 on macOS), so no listener of another test gets it. Whether it is
// free is found by dialling it: a listener could be inherited by a child process of another
// test. Until the test ends a name in Linux's abstract socket namespace reserves the number
// against other tests, also of other packages (on other systems only of this package).
func Reserved(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(22_000))
		kept, err := new(net.ListenConfig).Listen(t.Context(), "unix", "@agentkeys-port-"+port)
		if err != nil {
			continue // reserved by another test
		}
		t.Cleanup(func() { _ = kept.Close() })
		at := net.JoinHostPort("127.0.0.1", port)
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", at)
		if err != nil {
			return at
		}
		_ = conn.Close() // a process listens there
	}
	t.Fatal("no free port from 10000 to 32000")
	return ""
}
