package brokerclient_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/brokerclient"
)

const aPin = "spki-sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

func TestURLs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url string
		ok  bool
	}{
		"https":                      {"https://broker.example", true},
		"port, path, last slash":     {"https://broker.example:8420/agentkeys/", true},
		"one pin":                    {"https://mini.local:8420#" + aPin, true},
		"several pins":               {"https://mini.local#" + aPin + "," + aPin, true},
		"http to localhost":          {"http://localhost:8420", true},
		"http to 127.0.0.1":          {"http://127.0.0.1:8420", true},
		"http to all of 127":         {"http://127.9.9.9", true},
		"http to ::1":                {"http://[::1]:8420", true},
		"unix socket":                {"unix:///run/agentkeys/broker.sock", true},
		"a zone":                     {"https://[fe80::1%eth0]:8420#" + aPin, true},
		"an escaped zone":            {"https://[fe80::1%25eth0]:8420/x", true},
		"empty":                      {"", false},
		"no scheme":                  {"broker.example:8420", false},
		"host alone":                 {"broker.example", false},
		"no host":                    {"https://", false},
		"other scheme":               {"ftp://broker.example", false},
		"http elsewhere":             {"http://broker.example", false},
		"http to a private address":  {"http://192.168.1.2:8420", false},
		"http to a name of 127":      {"http://127.0.0.1.example.com", false},
		"http to localhost.evil":     {"http://localhost.evil.example", false},
		"a user":                     {"https://me:geheim@broker.example", false},
		"a query":                    {"https://broker.example?token=geheim", false},
		"a bad port":                 {"https://broker.example:geheim", false},
		"a port that is too large":   {"https://broker.example:84200", false},
		"port 0":                     {"https://broker.example:0", false},
		"a foreign fragment":         {"https://broker.example#geheim", false},
		"a short pin":                {"https://broker.example#" + aPin[:40], false},
		"a padded pin":               {"https://broker.example#" + aPin + "=", false},
		"a good and an empty pin":    {"https://broker.example#" + aPin + ",", false},
		"a pin on plain http":        {"http://localhost#" + aPin, false},
		"a pin on a socket":          {"unix:///run/x.sock#" + aPin, false},
		"a relative socket":          {"unix://run/x.sock", false},
		"a socket without a path":    {"unix://", false},
		"a control character":        {"https://broker.example/\x00", false},
		"what a person mistypes":     {"https//broker.example", false},
		"a pin where a path belongs": {"https://broker.example/" + aPin, true}, // a path; without the pin the chain decides
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := brokerclient.New(brokerclient.Config{URL: tt.url})
			if (err == nil) != tt.ok || (err != nil && !errors.Is(err, brokerclient.ErrURL)) {
				t.Fatalf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("repeats what may be a secret: %v", err)
			}
		})
	}
}

func TestPlainHTTPNeverLeavesTheMachine(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"192.0.2.1:80": false, "[2001:db8::1]:80": false, "0.0.0.0:80": false, "x": false,
	} {
		if err := brokerclient.OnlyLoopback("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What is asked is a URL again, also where the address has a zone.
func TestAZoneReachesTheRequest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"https://[fe80::1%eth0]:8420", "https://[fe80::1%25eth0]:8420"} {
		base, err := brokerclient.BaseOf(text)
		if want := "https://[fe80::1%25eth0]:8420"; err != nil || base != want {
			t.Errorf("%s: %q, %v, want %q", text, base, err, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	f.Add("https://mini.local:8420#" + aPin)
	f.Add("unix:///run/x")
	f.Add("http://[::1%25lo]:1")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := brokerclient.New(brokerclient.Config{URL: text})
		if err != nil && !errors.Is(err, brokerclient.ErrURL) {
			t.Fatal(err)
		}
	})
}

// What names the same broker is one text, so that it is kept and compared once.
func TestAURLHasOneForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://broker.example":                    "https://broker.example",
		"HTTPS://Broker.Example:8420/":              "https://broker.example:8420",
		"https://broker.example/AgentKeys//":        "https://broker.example/AgentKeys",
		"http://LOCALHOST:8420/":                    "http://localhost:8420",
		"https://Mini.local:8420/#" + aPin:          "https://mini.local:8420#" + aPin,
		"https://[FE80::1%Eth0]:8420":               "https://[fe80::1%25Eth0]:8420",
		"unix:///run//agentkeys-broker/./http.sock": "unix:///run/agentkeys-broker/http.sock",
	} {
		got, err := brokerclient.CanonicalURL(text)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
		if again, err := brokerclient.CanonicalURL(got); err != nil || again != got {
			t.Errorf("%s is not kept: %s, %v", got, again, err)
		}
	}
}

// A host without a scheme is told with the scheme; any other text is not repeated.
func TestWhatWasMeant(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mini.local:8420": "https://mini.local:8420", "127.0.0.1:8420": "http://127.0.0.1:8420", "Localhost:8420": "http://Localhost:8420",
		"192.168.1.2:8420": "https://192.168.1.2:8420", "[::1]:8420": "http://[::1]:8420", "[fe80::1]:8420": "https://[fe80::1]:8420",
		"admin:12345": "https://HOST:8420", "mini.local": "https://HOST:8420", "sk-1.2": "https://HOST:8420", "http://192.0.2.1:1": "https://HOST:8420",
	} {
		_, err := brokerclient.CanonicalURL(text)
		var wrong *brokerclient.URLError
		if !errors.As(err, &wrong) || wrong.Meant != want || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, %+v", text, err, wrong)
		}
	}
}
