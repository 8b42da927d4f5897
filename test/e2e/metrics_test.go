package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
)

// says waits for a condition with that text in what the daemon tells of it.
func (d *daemon) says(code, text string) {
	d.t.Helper()
	eventually(d.t, patience, code+" that says "+text, func() (string, bool) {
		s := d.status()
		for _, c := range s.Conditions {
			if c.Code == code && strings.Contains(c.Message, text) {
				return "", true
			}
		}
		return fmt.Sprintf("%+v\n%s", s.Conditions, d.err), false
	})
}

// listens waits until address serves the metrics of that wallet.
func listens(t testing.TB, address, wallet string) {
	t.Helper()
	eventually(t, 2*patience, address+" serves the metrics of "+wallet, func() (string, bool) {
		_, text, err := read(http.Get("http://" + address + "/metrics"))
		return fmt.Sprint(text, err), strings.Contains(text, `wallet="`+wallet+`"`)
	})
}

func TestAnAddressOfMetricsThatIsTakenEndsNoDaemon(t *testing.T) {
	t.Parallel()
	_, _, m, w := stocked(t)
	address := brokertest.Reserved(t)
	other, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	d := m.daemon(w, "--metrics-listen", address)
	d.serves("openrouter", "key-1")
	d.says("metrics_unavailable", address+" is taken by")
	who := ""
	if runtime.GOOS == "linux" { // elsewhere there is no /proc
		who = "(pid " + strconv.Itoa(os.Getpid()) + ")"
	}
	d.says("metrics_unavailable", who)
	if r := m.run("", "agentkeys-daemon", "status"); r.code != exitOK || !strings.Contains(r.stdout, address) {
		t.Errorf("status: %+v", r)
	}
	r := m.run("", "agentkeys-daemon", "doctor", "--metrics-listen", address)
	if !strings.Contains(r.stdout, "metrics_listen") || !strings.Contains(r.stdout, who) {
		t.Errorf("doctor: %+v", r)
	}
	_ = other.Close()
	listens(t, address, w)
	eventually(t, patience, "the condition ends", func() (string, bool) {
		s := d.status()
		return fmt.Sprint(s.Conditions), len(s.Conditions) == 0
	})
}

// doctor looks at the address: that the daemon has no complaint says nothing of it.
func TestDoctorLooksAtTheAddressOfMetrics(t *testing.T) {
	t.Parallel()
	_, _, m, w := stocked(t)
	d := m.daemon(w)
	d.serves("openrouter", "key-1")
	address := brokertest.Reserved(t)
	if err := os.WriteFile(filepath.Join(m.dir, "conf", "daemon.toml"), fmt.Appendf(nil, "metrics_listen = %q\n", address), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := m.run("", "agentkeys-daemon", "doctor"); !strings.Contains(r.stdout, "nothing answered") || strings.Contains(r.stdout, address+" serves") {
		t.Errorf("before the daemon knows of it: %+v", r)
	}
	d.signal(syscall.SIGHUP)
	listens(t, address, w)
	if r := m.run("", "agentkeys-daemon", "doctor", "--verbose"); !strings.Contains(r.stdout, address+" serves this instance's metrics") {
		t.Errorf("afterwards: %+v", r)
	}
}

func TestWalletsThatShareAnAddressOfMetricsBothServe(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	m := newMachine(t)
	address := brokertest.Reserved(t)
	if err := os.WriteFile(filepath.Join(m.dir, "conf", "daemon.toml"), fmt.Appendf(nil, "metrics_listen = %q\n", address), 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := o.adopt(m, "first", "openrouter"), o.adopt(m, "second", "openrouter")
	o.put(first, "openrouter", "key-1")
	o.put(second, "openrouter", "key-2")
	a := m.daemon(first)
	listens(t, address, first)
	z := m.daemon(second)
	a.serves("openrouter", "key-1")
	z.serves("openrouter", "key-2")
	z.says("metrics_unavailable", address+" is taken by the AgentKeys daemon of wallet "+first)
	r := m.run("", "agentkeys-daemon", "doctor", "--wallet", second)
	if !strings.Contains(r.stdout, "the AgentKeys daemon of wallet "+first) || !strings.Contains(r.stdout, "<wallet>.toml") {
		t.Errorf("doctor: %+v", r)
	}
	a.stop()
	listens(t, address, second)
}

func TestAnAddressOfMetricsThatIsNotThereEndsNoDaemon(t *testing.T) {
	t.Parallel()
	_, _, m, w := stocked(t)
	for address, why := range map[string]string{
		"192.0.2.1:9479":            "no address of this machine", // RFC 5737: no machine has it
		"no-such-host.invalid:9479": "no-such-host.invalid",       // RFC 6761
	} {
		d := m.daemon(w, "--metrics-listen", address)
		d.serves("openrouter", "key-1")
		d.says("metrics_unavailable", why)
		if r := d.stop(); r.code != exitOK {
			t.Errorf("%s: %+v", address, r)
		}
	}
}
