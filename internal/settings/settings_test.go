package settings_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/words"
)

const wallet = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"

func source(files, env, flags map[string]string) settings.Source {
	return settings.Source{
		Wallet: wallet, Dir: "/etc/agentkeys", Flags: flags,
		Getenv: func(k string) string { return env[k] },
		CanonicalURL: func(text string) (string, error) {
			if strings.HasPrefix(text, "https://") {
				return strings.TrimRight(text, "/"), nil
			}
			return "", errors.New("no URL")
		},
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
	}
}

func TestLaterLayersWin(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/etc/agentkeys/daemon.toml":         "session_store = \"file\"\nlog_level = \"warn\"\nallow = [\"user=hermes\"]\nbroker = \"https://a\"\n[credentials.openrouter]\nallow = [\"group=agents\"]\n",
		"/etc/agentkeys/" + wallet + ".toml": "log_level = \"error\"\nallow = [\"user=pi\", \"unit=x.service\"]\nallow_root = false\n",
	}
	s, origins, err := settings.Load(source(files, map[string]string{"AGENTKEYS_SESSION_STORE": "keychain"}, map[string]string{"keychain_timeout": "3s"}))
	if err != nil {
		t.Fatal(err)
	}
	if s.SessionStore != words.ModeKeychain || s.LogLevel != "error" || s.Broker != "https://a" || s.KeychainTimeout != 3*time.Second || s.AllowRoot {
		t.Fatalf("%+v", s)
	}
	var out strings.Builder
	s.Print(&out, origins)
	want := `broker = "https://a"  # /etc/agentkeys/daemon.toml
session_store = "keychain"  # AGENTKEYS_SESSION_STORE
keychain_timeout = "3s"  # --keychain-timeout
allow = "user=pi,unit=x.service"  # /etc/agentkeys/` + wallet + `.toml
allow_root = "false"  # /etc/agentkeys/` + wallet + `.toml
metrics_listen = ""  # default
log_level = "error"  # /etc/agentkeys/` + wallet + `.toml
log_format = "text"  # default
credentials.openrouter.allow = "group=agents"  # /etc/agentkeys/daemon.toml
`
	if out.String() != want {
		t.Fatalf("got:\n%s", out.String())
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, origins, err := settings.Load(source(nil, nil, nil))
	if err != nil || s.SessionStore != words.ModeAuto || s.KeychainTimeout != 2*time.Second || !s.AllowRoot || origins["allow"] != "default" {
		t.Fatalf("%+v %v %v", s, origins, err)
	}
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/etc/agentkeys/" + wallet + ".toml": "metrics_listen = 9479\nallow_root = \"no\"\nborker = \"x\"\n",
		"/etc/agentkeys/daemon.toml":         "sesion_store = \"file\"\nlog_level = \"loud\"\nallow = [\"uid=1\"]\n[credentials.Bad]\nallow = [\"x\"]\nshout = 1\n",
	}
	_, _, err := settings.Load(source(files,
		map[string]string{"AGENTKEYS_SESSION_STORE": "keyring", "AGENTKEYS_METRICS_LISTEN": "here"},
		map[string]string{"keychain_timeout": "9h", "colour": "red", "allow_root": "maybe"}))
	if !errors.Is(err, settings.ErrSettings) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"unknown key sesion_store", "unknown key borker", wallet + ".toml: metrics_listen: a text", wallet + ".toml: allow_root: true or false", "credentials.Bad.shout", "AGENTKEYS_SESSION_STORE: session_store: \"keyring\" is none of auto, file, keychain",
		"log_level", "uid=1", "credentials.Bad", "AGENTKEYS_METRICS_LISTEN", "--keychain-timeout", "--colour: unknown setting", "--allow-root",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

// One wrong address on the way to a broker is told with where it stands, and is not repeated:
// it may be anything that a person pasted.
func TestABrokerThatIsNoURLIsAProblemOfItsLayer(t *testing.T) {
	t.Parallel()
	const wrong, file = "http://hunter2", "/etc/agentkeys/" + wallet + ".toml"
	for from, src := range map[string]settings.Source{
		file:               source(map[string]string{file: "broker = \"" + wrong + "\"\n"}, nil, nil),
		"AGENTKEYS_BROKER": source(nil, map[string]string{"AGENTKEYS_BROKER": wrong}, nil),
		"--broker":         source(nil, nil, map[string]string{"broker": wrong}),
	} {
		_, _, err := settings.Load(src)
		if !errors.Is(err, settings.ErrSettings) || !strings.Contains(err.Error(), from+": broker: no URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", from, err)
		}
	}
	// What a stronger layer replaces is never used.
	s, origins, err := settings.Load(source(map[string]string{file: "broker = \"" + wrong + "\"\n"}, nil, map[string]string{"broker": "https://b/"}))
	if err != nil || s.Broker != "https://b" || origins["broker"] != "--broker" {
		t.Errorf("%+v %v %v", s, origins, err)
	}
}

func TestBrokenFilesAreNamed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"syntax": "log_level = ", "type": "log_level = 3", "binary": "\x00\xff", "list": "allow = \"user=a\"",
	} {
		_, _, err := settings.Load(source(map[string]string{"/etc/agentkeys/daemon.toml": text}, nil, nil))
		if !errors.Is(err, settings.ErrSettings) || !strings.Contains(err.Error(), "/etc/agentkeys/daemon.toml") {
			t.Errorf("%s: %v", name, err)
		}
	}
	src := source(nil, nil, nil)
	src.ReadFile = func(string) ([]byte, error) { return nil, fs.ErrPermission }
	if _, _, err := settings.Load(src); !errors.Is(err, settings.ErrSettings) || !strings.Contains(err.Error(), "daemon.toml") {
		t.Errorf("unreadable: %v", err)
	}
}

func TestKeysAreComparedExactly(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"another case":            "Allow_Root = true\n",
		"both cases":              "allow = []\nALLOW = [\"user=eve\"]\n",
		"another case of a table": "[Credentials.openrouter]\nallow = [\"user=eve\"]\n",
		"another case within":     "[credentials.openrouter]\nAllow = [\"user=eve\"]\n",
		"inline":                  "credentials = { openrouter = { ALLOW = [\"user=eve\"] } }\n",
		"too deep":                "[credentials.openrouter.allow]\nx = 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := settings.Load(source(map[string]string{"/etc/agentkeys/daemon.toml": text}, nil, nil))
			if !errors.Is(err, settings.ErrSettings) {
				t.Error(err)
			}
		})
	}
	s, _, err := settings.Load(source(map[string]string{"/etc/agentkeys/daemon.toml": "credentials.openrouter.allow = [\"user=pi\"]\n"}, nil, nil))
	if err != nil || len(s.Credentials["openrouter"]) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("session_store = \"file\"\n[credentials.a]\nallow = [\"user=x\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := settings.Load(source(map[string]string{"/etc/agentkeys/daemon.toml": text}, nil, nil))
		if err != nil && !errors.Is(err, settings.ErrSettings) {
			t.Fatal(err)
		}
		if err == nil && (s.KeychainTimeout <= 0 || s.LogLevel == "" || s.SessionStore == "") {
			t.Fatalf("%+v", s)
		}
	})
}
