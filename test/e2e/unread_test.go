package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/test/needs"
)

// unread is a pipe to write to whose reader has gone: journald that was stopped, `| head`.
func unread(t testing.TB) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	t.Cleanup(func() { _ = write.Close() })
	return write
}

// hung is a pipe to write to that is full, and whose reader reads no more: a journald that
// was stopped by a signal, a pager that was left.
func hung(t testing.TB) *os.File {
	t.Helper()
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	_ = syscall.SetNonblock(ends[1], true)
	for block := make([]byte, 1024); ; {
		if _, err := syscall.Write(ends[1], block); err != nil {
			break
		}
	}
	_ = syscall.SetNonblock(ends[1], false)
	read, write := os.NewFile(uintptr(ends[0]), "read"), os.NewFile(uintptr(ends[1]), "write")
	t.Cleanup(func() { _ = errors.Join(read.Close(), write.Close()) })
	return write
}

// fullDisk takes no byte (full(4)).
func fullDisk(t testing.TB) *os.File {
	t.Helper()
	needs.Linux(t)
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestADaemonServesOnThoughNobodyReadsItsLog(t *testing.T) {
	t.Parallel()
	_, o, m, w := stocked(t)
	for i, log := range []*os.File{unread(t), hung(t)} {
		deaf := *m
		deaf.stdout, deaf.stderr = unread(t), log
		d := deaf.daemon(w, "--log-level", "debug")
		for range 3 { // each is a line of the log, the rest comes from the requests
			d.signal(syscall.SIGHUP)
			d.serves("openrouter", fmt.Sprint("key-", i+1))
		}
		o.put(w, "openrouter", fmt.Sprint("key-", i+2))
		d.serves("openrouter", fmt.Sprint("key-", i+2))
		if r := d.stop(); r.code != exitOK || r.signal != 0 {
			t.Errorf("the stop that was asked for: %+v", r)
		}
	}
}

func TestABrokerServesOnThoughNobodyReadsItsLog(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]*os.File{"gone": unread(t), "hung": hung(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokerWithLog(t, log)
		})
	}
}

func brokerWithLog(t *testing.T, log *os.File) {
	t.Helper()
	m := newMachine(t)
	m.stdout, m.stderr = unread(t), log
	address := brokertest.Reserved(t)
	p := m.start("", "agentkeys-broker", "serve", "--listen", address, "--data", m.dir+"/broker", "--log-level", "debug")
	for range 3 {
		eventually(t, patience, "the broker answers", func() (string, bool) {
			code, text, err := read(http.Get("http://" + address + "/v1/info"))
			if !p.running() {
				t.Fatalf("the broker ended: %v", p.cmd.ProcessState)
			}
			return fmt.Sprint(code, text, err), code == http.StatusOK
		})
	}
	if r := p.stop(); r.code != exitOK || r.signal != 0 {
		t.Errorf("the stop that was asked for: %+v", r)
	}
}

// A command whose answer did not arrive has not done what it was asked for.
func TestACommandSaysThatItsAnswerDidNotArrive(t *testing.T) {
	t.Parallel()
	b, _, m, w := stocked(t)
	m.daemon(w).serves("openrouter", "key-1")
	commands := map[string][]string{
		"the daemon's doctor":      {"agentkeys-daemon", "doctor"},
		"the same in JSON":         {"agentkeys-daemon", "doctor", "--json"},
		"the settings":             {"agentkeys-daemon", "run", "--wallet", w, "--print-config"},
		"the daemon's version":     {"agentkeys-daemon", "version"},
		"the daemon's help":        {"agentkeys-daemon", "--help"},
		"the status":               {"agentkeys-daemon", "status", "--json"},
		"the owner's doctor":       {"agentkeys", "doctor"},
		"a credential":             {"agentkeys", "read", "openrouter", "--wallet", w},
		"a list":                   {"agentkeys", "list", "--wallet", w},
		"the owner's help":         {"agentkeys", "--help"},
		"the broker's version":     {"agentkeys-broker", "version"},
		"the broker's help":        {"agentkeys-broker", "--help"},
		"the name of a set-up key": {"agentkeys-broker", "setup-token", "--data", b.data},
	}
	for output, file := range map[string]*os.File{"without a reader": unread(t), "on a full disk": fullDisk(t)} {
		for name, args := range commands {
			t.Run(name+" "+output, func(t *testing.T) {
				t.Parallel()
				mute := *m
				mute.t, mute.stdout = t, file
				r := mute.run("", args[0], args[1:]...)
				if r.code != exitFault || r.signal != 0 || !strings.Contains(r.stderr, "error") {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// A child that a person starts gets the signal as any program does: it is handled here,
// not ignored, and `yes | head` in it ends.
func TestAProgramThatIsRunEndsWhenNobodyReadsIt(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	m := newMachine(t)
	w := o.adopt(m, "bot", "openrouter")
	m.daemon(w).reaches("online")
	m.stdout = unread(t)
	for _, args := range [][]string{{"run"}, {"run", "--files"}} {
		r := m.run("", "agentkeys", append(args, "--wallet", w, "--", "/bin/sh", "-c", "while :; do echo x; done")...)
		if died := r.signal == syscall.SIGPIPE || r.code == 128+int(syscall.SIGPIPE); !died {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestAPairingWhoseCodeWasNotShownEnds(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	o := newOwner(t, b)
	for name, args := range map[string][]string{"pair": {"pair"}, "run --pair": {"run", "--pair"}} {
		for output, file := range map[string]*os.File{"without a reader": unread(t), "on a full disk": fullDisk(t)} {
			t.Run(name+" "+output, func(t *testing.T) {
				t.Parallel()
				m := newMachine(t)
				mute := *m
				mute.stdout = file
				r := mute.run("", "agentkeys-daemon", append(args, "--broker", b.url)...)
				if r.code != exitFault || r.signal != 0 || !strings.Contains(r.stderr, "show the code") {
					t.Fatalf("%+v", r)
				}
				again := m.pair(b.url) // the pending slot is still good
				o.must("approve", again.code, "--yes", "--scope", "none")
				again.paired()
			})
		}
	}
}
