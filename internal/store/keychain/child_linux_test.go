package keychain_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/agentkeys/agentkeys/internal/store/keychain"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/words"
)

// ownName makes another name for the test program, which tells a test's children
// from those of the tests that run at the same time, by their argv.
func ownName(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(keyringtest.Dir(t), "program")
	if err := os.Symlink(program, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// childOf waits for the keychain child of that name and returns its pid.
func childOf(t *testing.T, name string) string {
	t.Helper()
	var pid string
	eventually(t, "a child", func() bool {
		pid = findChild(name)
		return pid != ""
	})
	return pid
}

func findChild(name string) string {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		argv, _ := os.ReadFile(path)
		if string(argv) == name+"\x00"+keychain.ChildCommand+"\x00" {
			return filepath.Base(filepath.Dir(path))
		}
	}
	return ""
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestTheSecretIsOnlyInTheChildsMemory(t *testing.T) {
	t.Parallel()
	const canary = "ak1.7.Y2FuYXJ5LWNhbmFyeQ"
	g, _ := inKeyring(t, keyringtest.Unlocked)
	env := append(keyringtest.Env(g.Address, g.Home), "AGENTKEYS_HOME=/x", "LD_PRELOAD=")
	name := ownName(t)
	k := keychain.New(keychain.Config{Env: lookup(env), Executable: name, Timeout: longTimeout})
	wantState(t, k.Probe(t.Context()), words.KeychainUnlocked)
	g.Stop()
	defer g.Continue()
	put := make(chan error, 1)
	go func() { put <- k.Put(t.Context(), account, canary) }()
	proc := "/proc/" + childOf(t, name)

	environ, err := os.ReadFile(proc + "/environ")
	if errors.Is(err, os.ErrPermission) {
		t.Log("not root: the child's environ is closed to us, as it should be")
	} else {
		var names []string
		for line := range strings.SplitSeq(strings.TrimRight(string(environ), "\x00"), "\x00") {
			name, _, _ := strings.Cut(line, "=")
			names = append(names, name)
		}
		slices.Sort(names)
		if got, want := strings.Join(names, " "), "DBUS_SESSION_BUS_ADDRESS HOME PATH USER XDG_RUNTIME_DIR"; got != want {
			t.Errorf("the child's environment is %s, want %s", got, want)
		}
	}
	argv, _ := os.ReadFile(proc + "/cmdline")
	if bytes.Contains(environ, []byte(canary)) || bytes.Contains(argv, []byte(canary)) {
		t.Error("the secret is in argv or environment")
	}
	eventually(t, "the child's core limit", func() bool {
		limits, _ := os.ReadFile(proc + "/limits")
		return strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 0")
	})
	if err := <-put; err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("put: %v", err)
	}
	if pid := findChild(name); pid != "" {
		t.Errorf("child %s is left", pid)
	}
}

func TestAChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	g, _ := inKeyring(t, keyringtest.Unlocked)
	name := ownName(t)
	parent := exec.Command(name)
	parent.Env = append(keyringtest.Env(g.Address, g.Home), parentVariable+"="+name)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	childOf(t, name)
	g.Stop()
	defer g.Continue()
	pid, since := childOf(t, name), time.Now()
	eventually(t, "a child that waits for the frozen keyring", func() bool {
		if now := childOf(t, name); now != pid {
			pid, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	eventually(t, "the child's end", func() bool { return findChild(name) == "" })
}

// Not parallel: it counts what the process holds.
func TestNothingIsLeftAfterOperationsOfEveryKind(t *testing.T) {
	g, slow := inKeyring(t, keyringtest.Unlocked)
	k := newQuick(t, keyringtest.Env(g.Address, g.Home)...)
	ignore := goleak.IgnoreCurrent()
	before := held(t)
	for range 20 {
		slow.ProbeNow(t.Context())
		if err := slow.Put(t.Context(), account, "ak1.1.dg"); err != nil {
			t.Fatal(err)
		}
		if _, err := slow.Get(t.Context(), account); err != nil {
			t.Fatal(err)
		}
	}
	g.Stop()
	for range 3 {
		wantState(t, k.ProbeNow(t.Context()), words.KeychainHung)
		_, err := k.Get(t.Context(), account)
		wantUnavailable(t, err, words.KeychainHung)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = k.Delete(ctx, account) // cancelled
	g.Continue()
	if err := slow.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, ignore)
	if after := held(t); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
}

// held counts descriptors and children of this process.
func held(t *testing.T) string {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	children := 0
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range processes {
		stat, _ := os.ReadFile(path)
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			children++
		}
	}
	return strconv.Itoa(len(fds)) + " descriptors, " + strconv.Itoa(children) + " children"
}
