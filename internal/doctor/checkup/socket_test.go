package checkup_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/doctor"
)

// A listener that does not answer like a daemon is reported as broken to every user.
func TestASocketThatAnswersGarbageFails(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	home, err := os.MkdirTemp("", "ak") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	h.env["AGENTKEYS_HOME"] = home
	dir := filepath.Join(home, "daemon-"+text)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "\x1b[2J")
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	if c := h.check(name(t), "socket"); c.Status != doctor.Fail || c.Hint != fmt.Sprintf("kill %d", os.Getpid()) {
		t.Errorf("%+v", c)
	}
}
