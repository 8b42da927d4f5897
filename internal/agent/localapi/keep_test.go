package localapi_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentkeys/agentkeys/internal/access"
	"github.com/agentkeys/agentkeys/internal/agent/localapi"
	"github.com/agentkeys/agentkeys/internal/words"
	"github.com/agentkeys/agentkeys/test/needs"
)

// inTime tells "made again" from "never".
const inTime = 30 * time.Second

// livez asks the agent.sock in dir.
func livez(dir string) error {
	c := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, words.AgentSocket))
		},
	}}
	resp, err := c.Get("http://localhost/livez")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func answersIn(t *testing.T, dir string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := livez(dir)
		if err == nil {
			return
		}
		if time.Since(began) > inTime {
			t.Fatalf("nothing answers in %s: %v", dir, err)
		}
	}
}

func newServer() *localapi.Server {
	return localapi.New(localapi.Config{
		Source: &source{}, Policy: func() access.Policy { return access.Policy{} },
		Metrics: http.NotFoundHandler(), Observe: func(string, string, time.Duration) {}, Logger: slog.New(slog.DiscardHandler),
	})
}

// short is a directory whose sockets fit into the system's 104 bytes.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// kept is a running interface with two places.
type kept struct {
	base, first, second string
	looks               chan struct{}
}

func keep(t *testing.T) *kept {
	t.Helper()
	root := short(t)
	k := &kept{base: filepath.Join(root, "run"), second: filepath.Join(root, "slot"), looks: make(chan struct{}, 1)}
	k.first = filepath.Join(k.base, "agentkeys", "w")
	if err := os.Mkdir(k.base, 0o700); err != nil {
		t.Fatal(err)
	}
	open := func() (*localapi.Pair, error) {
		p, _, err := localapi.Open([]localapi.Place{{Dir: k.first, Base: k.base, Mode: 0o600}, {Dir: k.second, Mode: 0o600}})
		return p, err
	}
	p, err := open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- newServer().Keep(ctx, p, open, k.looks) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, dir := range []string{k.first, k.second} {
			if left, _ := filepath.Glob(filepath.Join(dir, "*.sock")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	})
	answersIn(t, k.first)
	return k
}

func TestLostSocketsAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(k *kept) error
		dir  func(k *kept) string
	}{
		"the wallet's directory is removed": {func(k *kept) error { return os.RemoveAll(k.first) }, func(k *kept) string { return k.first }},
		"all of ours is removed":            {func(k *kept) error { return os.RemoveAll(filepath.Dir(k.first)) }, func(k *kept) string { return k.first }},
		"the user's runtime directory goes": {func(k *kept) error { return os.RemoveAll(k.base) }, func(k *kept) string { return k.second }},
		"one socket is removed":             {func(k *kept) error { return os.Remove(filepath.Join(k.first, words.AgentSocket)) }, func(k *kept) string { return k.first }},
		"the other one is":                  {func(k *kept) error { return os.Remove(filepath.Join(k.first, words.MetricsSocket)) }, func(k *kept) string { return k.first }},
		"it is moved away":                  {func(k *kept) error { return os.Rename(k.first, k.first+".old") }, func(k *kept) string { return k.first }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keep(t)
			for range 3 { // and again
				if err := os.Mkdir(k.base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
					t.Fatal(err)
				}
				if livez(k.first) != nil {
					break // it is in the other place, and stays there
				}
				_ = os.RemoveAll(k.first + ".old")
				if err := c.lose(k); err != nil {
					t.Fatal(err)
				}
				again(t, k, c.dir(k))
			}
		})
	}
}

// again waits until both sockets are whole in dir; a SIGHUP looks at once.
func again(t *testing.T, k *kept, dir string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		_, agentErr := os.Lstat(filepath.Join(dir, words.AgentSocket))
		_, metricsErr := os.Lstat(filepath.Join(dir, words.MetricsSocket))
		if agentErr == nil && metricsErr == nil && livez(dir) == nil {
			return
		}
		if time.Since(began) > inTime {
			t.Fatalf("not made again in %s: %v, %v", dir, agentErr, metricsErr)
		}
		select {
		case k.looks <- struct{}{}:
		default:
		}
	}
}

// Without a SIGHUP the system's events tell.
func TestARemovedDirectoryIsSeenByItself(t *testing.T) {
	t.Parallel()
	k := keep(t)
	if err := os.RemoveAll(filepath.Dir(k.first)); err != nil {
		t.Fatal(err)
	}
	answersIn(t, k.first)
}

// A file that another program made at the socket's path is left alone; clients find the
// daemon in the next place.
func TestAFileInTheSocketsPlaceIsLeftAlone(t *testing.T) {
	t.Parallel()
	k := keep(t)
	path := filepath.Join(k.first, words.AgentSocket)
	if err := os.WriteFile(path+".new", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	answersIn(t, k.second)
	if data, err := os.ReadFile(path); err != nil || string(data) != "x" {
		t.Fatalf("the file was touched: %q %v", data, err)
	}
	if err := os.Remove(path); err != nil { // what is left there is looked at when the test ends
		t.Fatal(err)
	}
}

func TestAPlaceThatCannotBeUsedIsSkipped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first func(root string) localapi.Place
		want  error // nil: the second place is taken
	}{
		"the runtime directory is not there": {func(root string) localapi.Place {
			return localapi.Place{Dir: filepath.Join(root, "gone", "agentkeys", "w"), Base: filepath.Join(root, "gone")}
		}, nil},
		"the runtime directory is a file": {func(root string) localapi.Place {
			return localapi.Place{Dir: filepath.Join(root, "file", "w"), Base: filepath.Join(root, "file")}
		}, nil},
		"its parent is a file": {func(root string) localapi.Place { return localapi.Place{Dir: filepath.Join(root, "file", "w")} }, nil},
		"another program answers there": {func(root string) localapi.Place {
			return localapi.Place{Dir: filepath.Join(root, "taken")}
		}, localapi.ErrInUse},
		"a file has the socket's name": {func(root string) localapi.Place {
			return localapi.Place{Dir: filepath.Join(root, "foreign")}
		}, nil},
		"the path is too long for a socket": {func(root string) localapi.Place {
			return localapi.Place{Dir: filepath.Join(root, strings.Repeat("d", 100))}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := short(t)
			foreign := filepath.Join(root, "foreign")
			taken, err := localapi.Listen(filepath.Join(root, "taken"), words.AgentSocket, 0o600)
			if err = errors.Join(err, os.WriteFile(filepath.Join(root, "file"), nil, 0o600), os.Mkdir(foreign, 0o700),
				os.WriteFile(filepath.Join(foreign, words.AgentSocket), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = taken.Close() }()
			first := c.first(root)
			p, skipped, err := localapi.Open([]localapi.Place{first, {Dir: filepath.Join(root, "slot"), Mode: 0o600}})
			if !errors.Is(err, c.want) || (c.want == nil) != (skipped != nil) {
				t.Fatalf("%v, skipped %v", err, skipped)
			}
			if p != nil {
				if want := filepath.Join(root, "slot"); p.Dir != want || !p.Intact() {
					t.Errorf("in %s, want %s", p.Dir, want)
				}
				_ = p.Close()
			}
			if _, err := os.Stat(filepath.Join(root, "gone")); err == nil {
				t.Error("the system's directory was made")
			}
		})
	}
}

// sudo may keep the XDG_RUNTIME_DIR of the user who called it.
func TestARuntimeDirectoryOfAnotherUserIsLeftAlone(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	for name, shared := range map[string]bool{"the directory itself": false, "the one that instances share": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := short(t)
			base := filepath.Join(root, "run")
			others := base
			if shared {
				others = filepath.Join(base, "agentkeys")
			}
			if err := errors.Join(os.MkdirAll(others, 0o755), os.Chown(others, 54321, 54321)); err != nil {
				t.Fatal(err)
			}
			p, skipped, err := localapi.Open([]localapi.Place{
				{Dir: filepath.Join(base, "agentkeys", "w"), Base: base, Mode: 0o600}, {Dir: filepath.Join(root, "slot"), Mode: 0o600},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.Close() }()
			if skipped == nil || !strings.Contains(skipped.Error(), "belongs to uid 54321") || p.Dir != filepath.Join(root, "slot") {
				t.Errorf("in %s, skipped %v", p.Dir, skipped)
			}
			if _, err := os.Stat(filepath.Join(base, "agentkeys", "w")); err == nil {
				t.Error("something was made there")
			}
		})
	}
}

// The socket has its mode from the first moment at which a program can connect, whatever the
// umask is, which other goroutines use at the same time.
func TestTheUmaskIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := short(t)
	for _, mode := range []fs.FileMode{0o666, 0o600, 0o640} {
		s, err := localapi.Listen(dir, "a.sock", mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "a.sock"))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v %v", info.Mode(), err)
		}
		_ = s.Close()
	}
}
