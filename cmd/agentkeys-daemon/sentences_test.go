package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/health"
	"github.com/agentkeys/agentkeys/internal/health/condition"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/secret"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// situation is a state in which a person may ask for the status of one agent.
type situation struct {
	title string
	make  func(t *testing.T, home string)
}

// TestSentences holds all that status says in each situation, for a reader, as text and
// as JSON: one cause is one line, and no line tells what was not looked at.
func TestSentences(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	all := append(answers(), silences()...)
	t.Run("each", func(t *testing.T) {
		for i, s := range all {
			said[s.title] = ""
			home, err := os.MkdirTemp("", "ak") // t.TempDir is too long for a socket on macOS
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(home) })
			s.make(t, home)
			said[all[i].title] = asked(t, home)
		}
	})
	var out strings.Builder
	for _, s := range all {
		out.WriteString("## " + s.title + "\n" + said[s.title] + "\n")
	}
	path := filepath.Join("testdata", "sentences.txt")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-golden +said (-update to accept):\n%s", diff)
	}
}

// asked is the status of online below home: the text, the exit code, the JSON.
func asked(t *testing.T, home string) string {
	t.Helper()
	environ := []string{"PATH=" + withSudo(t), "AGENTKEYS_HOME=" + home, "AGENTKEYS_CONFIG_DIR=" + home, "HOME=" + home}
	var text, errs, jsons, jsonErrs bytes.Buffer
	exit := run(t.Context(), []string{name, "status", "--wallet", online}, environ, strings.NewReader(""), &text, &errs)
	if again := run(t.Context(), []string{name, "status", "--wallet", online, "--json"}, environ, strings.NewReader(""), &jsons, &jsonErrs); again != exit {
		t.Errorf("exit %d, with --json %d", exit, again)
	}
	w, err := wallet.Parse(online)
	if err != nil {
		t.Fatal(err)
	}
	user := userName(os.Geteuid())
	return strings.NewReplacer(
		home, "HOME", w.EIP55(), "0xW", online, "0xW", strconv.Itoa(os.Getpid()), "PID",
		"user     "+user+": every program of "+user, "user     USER: every program of USER", `"user":"`+user+`"`, `"user":"USER"`,
	).Replace(text.String() + errs.String() + "exit " + strconv.Itoa(exit) + "\n" + jsons.String() + jsonErrs.String())
}

// withSudo is a PATH of a machine that has a sudo, as its hints are for.
func withSudo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sudo"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// daemonSays makes a daemon tell this status; the first condition has the detail.
func daemonSays(st protocol.Status, detail string, codes ...condition.Code) func(*testing.T, string) {
	return func(t *testing.T, home string) {
		t.Helper()
		st.Conditions = []protocol.StatusCondition{}
		for i, code := range codes {
			d, _ := condition.Of(string(code), "", online)
			c := protocol.StatusCondition{Code: string(code), Severity: string(d.Severity), Message: d.Message, Hint: d.Hint}
			if i == 0 && detail != "" {
				c.Message += ": " + detail
			}
			st.Conditions = append(st.Conditions, c)
		}
		data, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Replace(string(data), `"wallet":""`, `"wallet":"WALLET"`, 1)
		body = strings.Replace(body, `"wallet":"0x0000000000000000000000000000000000000000"`, `"wallet":"WALLET"`, 1)
		ready, _ := health.Ready(st.State, active(codes))
		serveAs(t, home, online, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" && !ready {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			says(online, body).ServeHTTP(w, r)
		}))
	}
}

func active(codes []condition.Code) []health.Active {
	var out []health.Active
	for _, code := range codes {
		d, _ := condition.Of(string(code), "", online)
		out = append(out, health.Active{Declaration: d})
	}
	return out
}

// in is the status of a daemon with a session.
func in(state words.State, backend words.Backend, keychain words.KeychainState) protocol.Status {
	st := without(state, keychain)
	st.Session = &protocol.StatusSession{Scope: scope.All(), CreatedAt: 1790000000, ExpiresAt: 1792592000, Generation: 7}
	st.Storage.Backend = backend
	st.Sync = protocol.StatusSync{Last: 1790000000, AgeSeconds: 12, Online: state == words.StateOnline}
	return st
}

// without is the status of a daemon that has not loaded its session.
func without(state words.State, keychain words.KeychainState) protocol.Status {
	return protocol.Status{
		State: state, Sync: protocol.StatusSync{AgeSeconds: -1},
		Storage: protocol.StatusStorage{Backend: "none", KeychainState: keychain},
	}
}

func answers() []situation {
	const refused = "dial tcp 192.0.2.7:8420: connect: connection refused"
	started := in("starting", "file", words.KeychainDisabled)
	started.Sync = protocol.StatusSync{Last: 1790000000, AgeSeconds: -1}
	first := in("starting", "file", words.KeychainDisabled)
	first.Sync = protocol.StatusSync{AgeSeconds: -1}
	online, offline := in("online", "file", words.KeychainNoBus), in("offline", "file", words.KeychainNoBus)
	return []situation{
		{"online, in the file", daemonSays(in("online", "file", words.KeychainDisabled), "")},
		{"online, in the keychain", daemonSays(in("online", "keychain", words.KeychainUnlocked), "")},
		{"online, no keychain here", daemonSays(online, "")},
		{"starting, for the first time", daemonSays(first, "")},
		{"starting", daemonSays(started, "")},
		{"offline", daemonSays(offline, refused, condition.BrokerAway)},
		{"offline for longer than the owner allows", daemonSays(offline, refused, condition.BrokerAway, condition.RenewalFailing, condition.OfflineTooLong)},
		{"offline: another broker in its place", daemonSays(offline, "the pin is another", condition.BrokerCertificateChanged, condition.OfflineTooLong)},
		{"offline: the session lapsed", daemonSays(offline, "session_expired (HTTP 401)", condition.BrokerAway, condition.SessionExpired, condition.RenewalFailing)},
		{"parked", daemonSays(in("parked", "file", words.KeychainDisabled), "", condition.CloneSuspected, condition.RenewalFailing)},
		{"revoked", daemonSays(in("revoked", "file", words.KeychainDisabled), "", condition.SessionRevoked, condition.RenewalFailing)},
		{"waiting: the keychain is locked", daemonSays(without("waiting_for_keychain", words.KeychainLocked), "the keyring is locked", condition.KeychainLocked)},
		{"waiting: the keychain hangs", daemonSays(without("waiting_for_keychain", words.KeychainHung), "hung", condition.KeychainUnavailable)},
		{"waiting: there is no bus", daemonSays(without("waiting_for_keychain", words.KeychainNoBus), "no_bus, there is no session bus", condition.KeychainUnavailable)},
		{"waiting: the keychain is not to be used", daemonSays(without("waiting_for_keychain", words.KeychainDisabled), "disabled", condition.KeychainUnavailable)},
		{"locked after the session was read", daemonSays(in("online", "keychain", words.KeychainLocked), "the next start waits for it", condition.KeychainLocked)},
		{"blocked: insecure", daemonSays(without("blocked", words.KeychainDisabled), "/x/session.json: mode 0644, must be 0600", condition.SlotInsecure)},
		{"blocked: corrupt", daemonSays(without("blocked", words.KeychainDisabled), "it is empty", condition.SlotCorrupt)},
		{"blocked: inconsistent", daemonSays(without("blocked", words.KeychainUnlocked), "", condition.SlotInconsistent)},
		{"no device keys", daemonSays(online, "", condition.DeviceKeyMissing)},
		{"the disk is read only", daemonSays(online, "", condition.StateReadOnly, condition.RenewalFailing)},
		{"the disk is full", daemonSays(online, "", condition.NoSpace, condition.RenewalFailing)},
		{"the keychain owes an answer", daemonSays(in("online", "file", words.KeychainHung), "hung", condition.FellBackToFile, condition.StoreInDoubt)},
		{"the keychain did not take it", daemonSays(in("online", "file", words.KeychainPromptsOnWrite), "prompts_on_write", condition.FellBackToFile)},
		{"the settings are refused", daemonSays(online, "unknown key borker", condition.SettingsRefused)},
		{"the clock of 1970", daemonSays(online, "", condition.ClockNotSet, condition.ClockWrong)},
		{"the metrics have no address", daemonSays(online, "127.0.0.1:9479 is taken by nginx (pid 7)", condition.MetricsUnavailable)},
		{"a credential is withheld", daemonSays(online, "openrouter", condition.RecordWithheld)},
	}
}

func silences() []situation {
	slot := func(home string) string { return filepath.Join(home, "daemon-"+online) }
	return []situation{
		{"nothing here", func(*testing.T, string) {}},
		{"not running, in the file", saved},
		{"not running, revoked", savedEnded},
		{"not running, in the keychain", func(t *testing.T, home string) {
			t.Helper()
			head(t, slot(home), `{"version":1,"id":"daemon-`+online+`","generation":3,"pending":0,"where":"keychain","tombstone":false,"sha256":"`+strings.Repeat("ab", 32)+`"}`)
		}},
		{"not running, corrupt", func(t *testing.T, home string) { t.Helper(); head(t, slot(home), "") }},
		{"not running, insecure", func(t *testing.T, home string) {
			t.Helper()
			saved(t, home)
			if err := os.Chmod(filepath.Join(slot(home), "session.json"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"not running, a lock is insecure", func(t *testing.T, home string) {
			t.Helper()
			saved(t, home)
			if err := os.Chmod(filepath.Join(slot(home), ".lock"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"answers for another wallet", func(t *testing.T, home string) {
			t.Helper()
			serveAs(t, home, online, says(another, statusBody))
		}},
		{"refuses this user", func(t *testing.T, home string) {
			t.Helper()
			serveAs(t, home, online, refuses("the daemon's rules do not let this caller ask"))
		}},
		{"is in another container", func(t *testing.T, home string) {
			t.Helper()
			serveAs(t, home, online, refuses(protocol.DetailOtherPIDs))
		}},
	}
}

func refuses(detail string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protocol.ProblemType)
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(protocol.Problem{Status: http.StatusForbidden, Code: protocol.CodeDenied, Detail: detail})
	})
}

// saved makes a slot as a pairing does.
func saved(t *testing.T, home string) { t.Helper(); save(t, home, nil) }

func savedEnded(t *testing.T, home string) {
	t.Helper()
	save(t, home, &session.Ended{Code: "session_revoked", At: 1790000300})
}

func save(t *testing.T, home string, ended *session.Ended) {
	t.Helper()
	s, err := store.New(store.Config{Home: home, Mode: words.ModeFile})
	if err != nil {
		t.Fatal(err)
	}
	w, err := wallet.Parse(online)
	if err != nil {
		t.Fatal(err)
	}
	v := session.Session{
		Token: session.NewToken(), Wallet: w, Scope: scope.All(), CreatedAt: 1790000000, TTLSeconds: int64(30 * 24 * time.Hour / time.Second),
		Broker: "http://127.0.0.1:1", DeviceKey: secret.New(strings.Repeat("A", 43)), DeviceSignKey: secret.New(strings.Repeat("A", 43)),
		Ended: ended,
	}
	if _, err := s.Save(context.Background(), session.DaemonID(w), v); err != nil {
		t.Fatal(err)
	}
}

func head(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "session.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
