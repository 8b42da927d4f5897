package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/protocol"
)

// daemon is a running instance of one wallet.
type daemon struct {
	*process
	m      *machine
	wallet string
	client *http.Client
}

// daemon starts an instance and waits until it answers.
func (m *machine) daemon(wallet string, args ...string) *daemon {
	m.t.Helper()
	d := m.launch(wallet, args...)
	d.answers()
	return d
}

func (m *machine) launch(wallet string, args ...string) *daemon {
	m.t.Helper()
	d := &daemon{m: m, wallet: wallet}
	d.process = m.start("", "agentkeys-daemon", append([]string{"run", "--wallet", wallet}, args...)...)
	d.client = m.local(wallet)
	return d
}

// local is a program on m that asks a daemon.
func (m *machine) local(wallet string) *http.Client {
	c := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", m.socket(wallet, "agent.sock"))
		},
	}}
	m.t.Cleanup(c.CloseIdleConnections)
	return c
}

func (m *machine) socket(wallet, name string) string {
	if dir := m.env["XDG_RUNTIME_DIR"]; dir != "" {
		return filepath.Join(dir, "agentkeys", wallet, name)
	}
	return filepath.Join(m.home, "daemon-"+wallet, name)
}

func (m *machine) slot(wallet string) string { return filepath.Join(m.home, "daemon-"+wallet) }

// get asks agent.sock.
func (d *daemon) get(path string) (int, string, error) {
	req, err := http.NewRequest(http.MethodGet, "http://agent"+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	return read(d.client.Do(req))
}

func (d *daemon) answers() {
	d.t.Helper()
	eventually(d.t, patience, "agent.sock answers", func() (string, bool) {
		code, _, err := d.get("/livez")
		if err != nil && !d.running() {
			d.t.Fatalf("the daemon ended\nstdout: %s\nstderr: %s", d.out, d.err)
		}
		return fmt.Sprint(code, err), err == nil && code == http.StatusOK
	})
}

func (d *daemon) status() protocol.Status {
	d.t.Helper()
	var s protocol.Status
	_, text, err := d.get("/v1/status")
	if err != nil || json.Unmarshal([]byte(text), &s) != nil {
		d.t.Fatalf("status: %v in %s", err, text)
	}
	return s
}

// reaches waits for a state of the daemon.
func (d *daemon) reaches(state string) time.Duration {
	d.t.Helper()
	return eventually(d.t, patience, "state "+state, func() (string, bool) {
		s := d.status()
		return fmt.Sprintf("%+v\n%s", s, d.err), string(s.State) == state
	})
}

// condition waits for a condition of the daemon.
func (d *daemon) condition(code string) {
	d.t.Helper()
	eventually(d.t, patience, "condition "+code, func() (string, bool) {
		s := d.status()
		for _, c := range s.Conditions {
			if c.Code == code {
				return "", true
			}
		}
		return fmt.Sprintf("%+v\n%s", s, d.err), false
	})
}

// value reads a credential as a local program does; code is the HTTP status.
func (d *daemon) value(service string) (value string, code int) {
	d.t.Helper()
	code, text, err := d.get("/v1/credentials/" + service)
	if err != nil {
		d.t.Fatal(err)
	}
	var v protocol.LocalValue
	if code == http.StatusOK {
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.Credential == nil {
			d.t.Fatalf("%v in %s", err, text)
		}
		return *v.Credential, code
	}
	return text, code
}

// serves waits until the daemon gives that value.
func (d *daemon) serves(service, want string) time.Duration {
	d.t.Helper()
	return eventually(d.t, patience, service+" is served", func() (string, bool) {
		got, code := d.value(service)
		return fmt.Sprint(code, " ", got, "\n", d.err), code == http.StatusOK && got == want
	})
}

// denies waits until the daemon refuses a service with `denied`.
func (d *daemon) denies(service string) time.Duration {
	d.t.Helper()
	return eventually(d.t, patience, service+" is denied", func() (string, bool) {
		got, code := d.value(service)
		return fmt.Sprint(code, " ", got), code == http.StatusForbidden && strings.Contains(got, "denied")
	})
}
