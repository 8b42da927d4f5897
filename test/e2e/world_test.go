package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/broker/brokertest"
	"github.com/agentkeys/agentkeys/internal/cli"
)

// hint is a command as the programs of m print it for the user of the tests.
func (m *machine) hint(text string) string { return cli.TypistOf(m.env["PATH"]).Hint(text) }

// broker is a real broker with a data directory of its own.
type broker struct {
	*process
	m          *machine
	data, addr string
	args       []string // further arguments of serve
	url        string
}

var listening = regexp.MustCompile(`listening on (https?://(127\.0\.0\.1:[0-9]+)(?:#\S+)?)`)

func startBroker(t testing.TB, args ...string) *broker {
	t.Helper()
	m := newMachine(t)
	b := &broker{m: m, data: filepath.Join(m.dir, "broker"), addr: brokertest.Reserved(t), args: args}
	b.start()
	return b
}

// start (again) uses the same data and, the second time, the same port.
func (b *broker) start() {
	b.m.t.Helper()
	b.process = b.m.start("", "agentkeys-broker", append([]string{"serve", "--listen", b.addr, "--data", b.data}, b.args...)...)
	found := listening.FindStringSubmatch(b.expect("listening on "))
	if found == nil {
		b.t.Fatalf("no address in %q", b.out)
	}
	b.url, b.addr = found[1], found[2]
}

// owner is a person with a computer and an account.
type owner struct {
	*machine
	wallet, recovery string
}

var recoveryKey = regexp.MustCompile(`AGENTKEYS-RECOVERY-1-[A-Z2-7]{109}`)

func newOwner(t testing.TB, b *broker) *owner {
	t.Helper()
	return initOwner(newMachine(t).with("AGENTKEYS_BROKER", b.url), b)
}

// initOwner makes the account from m.
func initOwner(m *machine, b *broker) *owner {
	m.t.Helper()
	o := &owner{machine: m.with("AGENTKEYS_BROKER", b.url)}
	r := o.must("init", "--setup-token-file", filepath.Join(b.data, "setup-token"))
	if o.recovery = recoveryKey.FindString(r.stdout + r.stderr); o.recovery == "" {
		m.t.Fatalf("init shows no recovery key: %s%s", r.stdout, r.stderr)
	}
	o.wallet = o.whoami().Wallet
	return o
}

type identity struct {
	Wallet         string `json:"wallet"`
	SessionID      string `json:"session_id"`
	StorageBackend string `json:"storage_backend"`
	Broker         string `json:"broker"`
}

func (o *owner) whoami() identity {
	o.t.Helper()
	var who identity
	o.decode(&who, "whoami", "--json")
	return who
}

// do runs the owner's command line without standard input.
func (o *owner) do(args ...string) result {
	o.t.Helper()
	return o.run("", "agentkeys", args...)
}

// must fails unless the command ends with 0.
func (o *owner) must(args ...string) result {
	o.t.Helper()
	return succeed(o.t, o.do(args...), args)
}

func succeed(t testing.TB, r result, args []string) result {
	t.Helper()
	if r.code != exitOK {
		t.Fatalf("%s: exit %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

// decode runs a command and reads the JSON that it prints.
func (o *owner) decode(v any, args ...string) {
	o.t.Helper()
	r := o.must(args...)
	if err := json.Unmarshal([]byte(r.stdout), v); err != nil {
		o.t.Fatalf("%s: %v in %s", strings.Join(args, " "), err, r.stdout)
	}
}

// put stores a credential from standard input.
func (o *owner) put(agent, service, value string) {
	o.t.Helper()
	args := []string{"store", service, "--agent", agent}
	succeed(o.t, o.run(value, "agentkeys", args...), args)
}

// event is one line of `pair --json` and `recover --json`.
type event struct {
	Event          string          `json:"event"`
	Code           string          `json:"code"`
	ExpiresIn      int             `json:"expires_in"`
	Wallet         string          `json:"wallet"`
	SessionID      string          `json:"session_id"`
	Owner          string          `json:"owner"`
	Scope          json.RawMessage `json:"scope"`
	StorageBackend string          `json:"storage_backend"`
	Message        string          `json:"message"`
}

// requester is `agentkeys-daemon pair` or `recover` while it waits.
type requester struct {
	*process
	code string
}

func (m *machine) pair(url string, args ...string) *requester {
	m.t.Helper()
	return m.request(append([]string{"pair", "--json", "--broker", url}, args...)...)
}

func (m *machine) recover(url, identity string, args ...string) *requester {
	m.t.Helper()
	return m.request(append([]string{"recover", identity, "--json", "--broker", url}, args...)...)
}

func (m *machine) request(args ...string) *requester {
	m.t.Helper()
	p := m.start("", "agentkeys-daemon", args...)
	var e event
	if err := json.Unmarshal([]byte(p.expect(`"pair_code"`)), &e); err != nil || e.ExpiresIn != 600 {
		m.t.Fatalf("no pair code: %v in %s", err, p.out)
	}
	return &requester{p, e.Code}
}

// last is the final event once the requester has ended.
func (r *requester) last() (event, result) {
	r.t.Helper()
	end := r.wait()
	lines := strings.Split(strings.TrimSpace(end.stdout), "\n")
	var e event
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		r.t.Fatalf("no event: %v in %s%s", err, end.stdout, end.stderr)
	}
	return e, end
}

// paired fails unless the owner's approval was taken.
func (r *requester) paired() event {
	r.t.Helper()
	e, end := r.last()
	if e.Event != "paired" || end.code != exitOK {
		r.t.Fatalf("not paired: exit %d, %s%s", end.code, end.stdout, end.stderr)
	}
	return e
}

// failed fails unless the pairing ended with that code.
func (r *requester) failed(code string) result {
	r.t.Helper()
	e, end := r.last()
	if e.Event != "failed" || e.Code != code || end.code == exitOK {
		r.t.Fatalf("not %s: exit %d, %s%s", code, end.code, end.stdout, end.stderr)
	}
	return end
}

// adopt pairs one new agent on m and returns its wallet.
func (o *owner) adopt(m *machine, alias, scope string) string {
	o.t.Helper()
	url := o.env["AGENTKEYS_BROKER"]
	r := m.pair(url, "--alias", alias)
	o.must("approve", r.code, "--scope", scope, "--yes")
	return r.paired().Wallet
}
