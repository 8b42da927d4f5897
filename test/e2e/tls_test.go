package e2e_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/session"
)

const (
	certificateCode = "broker_certificate_changed"
	wrongPin        = "spki-sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
)

func selfSignedBroker(t testing.TB) (b *broker, base, pin string) {
	t.Helper()
	b = startBroker(t, "--tls", "self-signed")
	base, pin, ok := strings.Cut(b.url, "#")
	if !ok || !regexp.MustCompile(`^spki-sha256-[A-Za-z0-9_-]{43}$`).MatchString(pin) {
		t.Fatalf("the printed URL has no pin: %s", b.url)
	}
	return b, base, pin
}

// worksThrough pairs an agent over url and fails unless it gets its keys.
func worksThrough(t *testing.T, o *owner, pi *machine) {
	t.Helper()
	w := o.adopt(pi, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	d.reaches("online")
	if r := pi.run("", "agentkeys", "read", "openrouter", "--wallet", w); r.stdout != keyOpenRouter {
		t.Errorf("read: exit %d, %q %s", r.code, r.stdout, r.stderr)
	}
	r := pi.run("", "agentkeys", "run", "--wallet", w, "--", "sh", "-c", `printf %s "$OPENROUTER_API_KEY"`)
	if r.stdout != keyOpenRouter {
		t.Errorf("run: exit %d, %q %s", r.code, r.stdout, r.stderr)
	}
}

func TestABrokerThatSignsItsOwnCertificate(t *testing.T) {
	t.Parallel()
	b, base, pin := selfSignedBroker(t)
	b.url = base + "#" + wrongPin + "," + pin // as after a key that is about to change
	o := newOwner(t, b)
	if got := o.whoami().Broker; got != b.url {
		t.Errorf("the session keeps %s, not %s", got, b.url)
	}
	worksThrough(t, o, newMachine(t))
}

// A broker whose key the URL does not name is refused, and the attempt leaves no file.
func TestABrokerWithAnotherKeyThanTheURLNames(t *testing.T) {
	t.Parallel()
	b, base, _ := selfSignedBroker(t)
	for name, tt := range map[string]struct{ url, says, hint string }{
		"another pin": {base + "#" + wrongPin, "which the URL does not name", "compare with the URL that agentkeys-broker prints"},
		"no pin":      {base, "signed by the broker itself, and the URL has no key pin", "the whole URL that the broker printed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			told := func(program string, args ...string) {
				t.Helper()
				r := m.run("", program, args...)
				if r.code != exitUnreachable || !strings.Contains(r.stderr, tt.says) || !strings.Contains(r.stderr, tt.hint) {
					t.Errorf("%s %s: exit %d, %s%s", program, args[0], r.code, r.stdout, r.stderr)
				}
			}
			told("agentkeys-daemon", "pair", "--broker", tt.url)
			told("agentkeys-daemon", "recover", "bot", "--broker", tt.url)
			told("agentkeys", "--broker", tt.url, "init", "--setup-token-file", filepath.Join(b.data, "setup-token"))
			r := m.run("", "agentkeys", "--broker", tt.url, "init", "--json", "--setup-token-file", filepath.Join(b.data, "setup-token"))
			if code := errorCode(t, r); code != certificateCode {
				t.Errorf("init --json: %s", code)
			}
			for file := range tree(t, m.home) {
				if strings.HasPrefix(file, "daemon-") {
					t.Errorf("%s is left", file)
				}
			}
			if _, err := os.Stat(filepath.Join(b.data, "setup-token")); err != nil {
				t.Errorf("the set-up token: %v", err)
			}
		})
	}
}

// A broker with a new key is a different broker: the daemon sets a condition, sends nothing to
// it and changes no slot. With the old key it works as before.
func TestAnExchangedKeyIsRefusedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	b, _, _ := selfSignedBroker(t)
	other, _, _ := selfSignedBroker(t)
	o, pi := newOwner(t, b), newMachine(t)
	w := o.adopt(pi, "bot", "openrouter")
	o.put("bot", "openrouter", keyOpenRouter)
	d := pi.daemon(w)
	d.serves("openrouter", keyOpenRouter)
	d.reaches("online")

	url, mine := b.url, filepath.Join(b.data, "tls-key.pem")
	good := contents(t, mine)
	b.stop()
	before, owners := payload(t, pi.slot(w)), tree(t, o.home)
	replace(t, mine, contents(t, filepath.Join(other.data, "tls-key.pem")))
	b.start()
	if b.url == url {
		t.Fatal("the same pin with another key")
	}
	d.condition(certificateCode)
	d.serves("openrouter", keyOpenRouter)
	d.stop()
	d = pi.daemon(w)
	d.condition(certificateCode)
	d.serves("openrouter", keyOpenRouter)
	if r := o.with("AGENTKEYS_BROKER", url).run("", "agentkeys", "agents", "--json"); r.code != exitUnreachable || errorCode(t, r) != certificateCode {
		t.Errorf("agents: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if r := pi.run("", "agentkeys-daemon", "doctor", "--wallet", w); !strings.Contains(r.stdout, "its certificate is refused") {
		t.Errorf("doctor: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if after := payload(t, pi.slot(w)); !reflect.DeepEqual(before, after) {
		t.Error("the session was changed")
	}
	if !maps.Equal(owners, tree(t, o.home)) {
		t.Error("the owner's slot was changed")
	}
	b.stop()
	replace(t, mine, good)
	b.start()
	if b.url != url {
		t.Fatalf("%s became %s", url, b.url)
	}
	d.stop()
	pi.daemon(w).reaches("online")
	o.must("agents")
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func replace(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The pin alone decides: a board's clock, and a certificate's dates, mean nothing.
func TestAPinnedBrokerNeedsNoClock(t *testing.T) {
	t.Parallel()
	b, _, _ := selfSignedBroker(t)
	ca := newAuthority(t)
	cert, key := ca.files(t, time.Now().Add(-20*24*time.Hour), time.Now().Add(-10*24*time.Hour))
	expired := startBroker(t, "--tls-cert", cert, "--tls-key", key)
	for name, url := range map[string]string{"of its own": b.url, "expired": expired.url + "#" + ca.pin(t)} {
		for _, year := range []int{1970, 2027, 2090} {
			c, err := brokerclient.New(brokerclient.Config{
				URL: url, Now: func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) },
			})
			if err != nil {
				t.Fatal(err)
			}
			var p *protocol.Problem
			if _, err := c.Session(t.Context(), session.NewToken()); !errors.As(err, &p) || p.Code != protocol.CodeTokenUnknown {
				t.Errorf("a certificate %s in %d: %v", name, year, err)
			}
			c.Close()
		}
	}
	expired.url += "#" + ca.pin(t)
	worksThrough(t, newOwner(t, expired), newMachine(t))
}

// With certificate files the chain decides; SSL_CERT_FILE names an authority of one's own.
func TestABrokerWithCertificateFiles(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key := ca.files(t, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	b := startBroker(t, "--tls-cert", cert, "--tls-key", key)
	if strings.Contains(b.url, "#") {
		t.Errorf("a pin in %s", b.url)
	}
	setup := filepath.Join(b.data, "setup-token")
	stranger := newMachine(t)
	r := stranger.run("", "agentkeys", "--broker", b.url, "init", "--json", "--setup-token-file", setup)
	if r.code != exitUnreachable || errorCode(t, r) != certificateCode {
		t.Errorf("an authority that this machine does not know: exit %d, %s", r.code, r.stderr)
	}
	elsewhere := strings.Replace(b.url, "127.0.0.1", "localhost", 1)
	r = stranger.with("SSL_CERT_FILE", ca.file).run("", "agentkeys", "--broker", elsewhere, "init", "--json", "--setup-token-file", setup)
	if r.code != exitUnreachable || errorCode(t, r) != certificateCode {
		t.Errorf("a name that is not in the certificate: exit %d, %s", r.code, r.stderr)
	}
	o := initOwner(newMachine(t).with("SSL_CERT_FILE", ca.file), b)
	worksThrough(t, o, newMachine(t).with("SSL_CERT_FILE", ca.file))
}

// Tokens never cross a network in the clear, whatever a person types.
func TestPlainHTTPToAnotherMachineIsRefused(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, args := range [][]string{
		{"agentkeys", "--broker", "http://192.0.2.1:8420", "init", "--setup-token-file", "/dev/null"},
		{"agentkeys-daemon", "pair", "--broker", "http://192.0.2.1:8420"},
		{"agentkeys-daemon", "pair", "--broker", "http://mini.local:8420#" + wrongPin},
		{"agentkeys-broker", "serve", "--listen", "0.0.0.0:0", "--data", filepath.Join(m.dir, "broker")},
	} {
		if r := m.run("", args[0], args[1:]...); r.code != exitUsage {
			t.Errorf("%v: exit %d, %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	noSlots(t, m)
}
