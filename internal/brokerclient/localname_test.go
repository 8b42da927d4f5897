package brokerclient_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
)

// avahi answers each question on its socket with one text, as avahi-daemon would.
func avahi(t *testing.T, answer string) (socket string, asked <-chan string) {
	t.Helper()
	socket = socketPath(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	questions := make(chan string, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n')
			questions <- line
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return socket, questions
}

// socketPath is short: t.TempDir is too long for a socket on macOS.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "av")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// listening is somebody on this machine to dial.
func listening(t *testing.T) (l net.Listener, port string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return l, port
}

// Avahi is not asked for a name that is in the hosts file. The error for an unknown name has
// Avahi's answer.
func TestHostsComeFirstAndDNSLast(t *testing.T) {
	t.Parallel()
	socket, asked := avahi(t, "-15 Timeout reached\n")
	l, port := listening(t)
	conn, err := brokerclient.DialLocal(t.Context(), socket, "localhost", port)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	select {
	case q := <-asked:
		t.Fatalf("asked %q", q)
	default:
	}
	_, err = brokerclient.DialLocal(t.Context(), socket, "agentkeys-test.invalid", port)
	if err == nil || !strings.Contains(err.Error(), "lookup agentkeys-test.invalid") || !strings.Contains(err.Error(), "avahi does not know agentkeys-test.invalid") {
		t.Fatalf("got %v", err)
	}
	l.Close() // the name of a broker that is down is still known
	_, err = brokerclient.DialLocal(t.Context(), filepath.Join(t.TempDir(), "none"), "127.0.0.1", port)
	if err == nil || strings.Contains(err.Error(), "avahi") {
		t.Fatalf("got %v", err)
	}
}

func TestANameInLocalIsAskedOfAvahi(t *testing.T) {
	t.Parallel()
	_, port := listening(t)
	socket, asked := avahi(t, "+ 2 0 mini.local 127.0.0.1\n")
	conn, err := brokerclient.DialLocal(t.Context(), socket, "agentkeys-test.local", port)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if q := <-asked; q != "RESOLVE-HOSTNAME-IPV4 agentkeys-test.local\n" {
		t.Fatalf("asked %q", q)
	}
}

// An answer of Avahi without a valid address is reported together with DNS's, and not used.
func TestAnswersOfAvahiThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"not known":        {"-15 Timeout reached\n", "avahi does not know agentkeys-test.local"},
		"no address":       {"+ 2 0 mini.local mini\n", "avahi does not know"},
		"an IPv6 address":  {"+ 2 1 mini.local fe80::1\n", "avahi does not know"},
		"too many words":   {"+ 2 0 mini.local 127.0.0.1 more\n", "avahi does not know"},
		"an end":           {"", "no answer"},
		"no end of line":   {"+ 2 0 mini.local 127.0.0.1", "no answer"},
		"a line of 100 kB": {strings.Repeat("x", 100_000) + "\n", "no answer"},
		"terminal escapes": {"-1 \x1b[31mred\n", `\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, _ := avahi(t, c.answer)
			if _, err := brokerclient.AskAvahi(t.Context(), socket, "agentkeys-test.local"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestWithoutAvahiThePersonIsTold(t *testing.T) {
	t.Parallel()
	_, err := brokerclient.AskAvahi(t.Context(), filepath.Join(t.TempDir(), "none"), "agentkeys-test.local")
	if err == nil || !strings.Contains(err.Error(), "need avahi-daemon on this machine") {
		t.Fatalf("got %v", err)
	}
	for _, host := range []string{"a\nb.local", "a b.local", "\u00e4.local"} {
		if _, err := brokerclient.AskAvahi(t.Context(), "/nowhere", host); err == nil || !strings.Contains(err.Error(), "only ASCII") {
			t.Fatalf("%q: got %v", host, err)
		}
	}
}

// An Avahi that takes the question and never answers costs no more than the caller's time.
func TestAvahiThatHangs(t *testing.T) {
	t.Parallel()
	socket := socketPath(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := brokerclient.AskAvahi(ctx, socket, "agentkeys-test.local"); err == nil || ctx.Err() == nil {
		t.Fatalf("got %v before the deadline", err)
	}
}

func TestWhichNamesAreLocal(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"mini.local": true, "MINI.LOCAL": true, "mini.local.": true, "a.b.local": false, ".local": false,
		"local": false, "minilocal": false, "mini.local.example.com": false, "127.0.0.1": false, "": false,
	} {
		if got := brokerclient.IsLocalName(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}
