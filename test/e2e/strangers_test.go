package e2e_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection costs memory before it sends anything. Connections without a good token
// displace each other, and never one with a good token.
func TestAFloodOfConnectionsTakesNothingFromAnybody(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	w := o.adopt(o.machine, "bot", "openrouter")
	o.put("bot", "openrouter", "key-1")
	d := o.machine.daemon(w)
	d.serves("openrouter", "key-1")
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	limit := int(min(2048, files.Cur/4)) // the broker has the same
	flood := make([]net.Conn, 0, limit+50)
	for range limit + 50 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write([]byte("GET /v1/info HTTP/1.1\r\nHost: broker\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		flood = append(flood, conn)
	}
	for i, conn := range flood[:50] { // an idle one would live for two minutes
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d of %d lives on", i+1, len(flood))
		}
	}
	o.put("bot", "openrouter", "key-2")
	d.serves("openrouter", "key-2")
}
