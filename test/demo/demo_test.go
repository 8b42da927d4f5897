package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/test/needs"
)

// programs is AGENTKEYS_BIN, or a directory with fresh builds.
func programs(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("AGENTKEYS_BIN"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+string(filepath.Separator), "../../cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	return dir
}

func TestTheDemoSeesWhatItExpects(t *testing.T) {
	t.Parallel()
	// The person's own keychain is not for tests.
	shows(t, "storage backend: file, because the keychain is disabled",
		"PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "AGENTKEYS_SESSION_STORE=file")
}

func TestTheDemoOnADesktop(t *testing.T) {
	t.Parallel()
	address, home := keyringtest.StartBus(t), t.TempDir()
	keyringtest.StartGnomeKeyring(t, address, home, keyringtest.Unlocked)
	shows(t, "storage backend: keychain, because the keychain is unlocked",
		"PATH="+os.Getenv("PATH"), "HOME="+home, "DBUS_SESSION_BUS_ADDRESS="+address, "AGENTKEYS_KEYCHAIN_TIMEOUT=10s")
	needs.Programs(t, "secret-tool")
	env := keyringtest.Env(address, home)
	if left := keyringtest.Run(t, env, "", "sh", "-c", "secret-tool search --all service agentkeys 2>/dev/null || true"); left != "" {
		t.Errorf("left in the keyring: %.60q", left)
	}
}

// shows runs the demonstration and looks for a sentence of it.
func shows(t *testing.T, sentence string, env ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"demo", "-bin", programs(t)}, env, &stdout, &stderr)
	if code != 0 || strings.Contains(stdout.String(), "DIFFERS") || !strings.Contains(stdout.String(), " 0 differ") {
		t.Fatalf("exit %d\n%s%s", code, &stdout, &stderr)
	}
	if !strings.Contains(stdout.String(), sentence) {
		t.Errorf("it does not say %q\n%s", sentence, &stdout)
	}
	_, dir, _ := strings.Cut(stdout.String(), "/tmp/akdemo")
	if dir != "" {
		if _, err := os.Stat("/tmp/akdemo" + strings.Fields(dir)[0]); err == nil {
			t.Errorf("left behind: %s", dir)
		}
	}
}

func TestTheDemoSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{out: &out}
	r.begin("a step")
	r.check("the same", "a", "a")
	r.check("not the same", "a", "b\nc")
	if code := r.verdict(0); code != 1 || !strings.Contains(out.String(), "seen      b | c  [DIFFERS]") || !strings.Contains(out.String(), "2 checks, 1 differ") {
		t.Fatalf("exit %d\n%s", code, &out)
	}
}

func TestTheDemoFailsWithoutPrograms(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"demo", "-bin", t.TempDir()}, nil, &stdout, &stderr); code != 1 || stderr.Len() == 0 {
		t.Fatalf("exit %d\n%s%s", code, &stdout, &stderr)
	}
}
