package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

// idleWithKeychain moves the instance's session into a real, unlocked gnome-keyring
// on a bus of its own, and counts the wake-ups again.
func idleWithKeychain(ctx context.Context, h *host, t *table, idle time.Duration) error {
	for _, program := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			t.missing("idle online instance, healthy keychain", "no "+program)
			return nil
		}
	}
	bus, address, err := startBus(ctx, h)
	if err != nil {
		return err
	}
	defer end(bus)
	k := *h
	k.env = h.with("DBUS_SESSION_BUS_ADDRESS="+address, "AGENTKEYS_SESSION_STORE=auto")
	ring, err := startRing(ctx, h, address)
	if err != nil {
		return err
	}
	defer end(ring)
	if err := k.healthy(ctx); err != nil {
		return err
	}
	if err := moved(ctx, &k); err != nil {
		return err
	}
	return watch(ctx, &k, t, idle, "healthy keychain", 90, false)
}

// startRing makes and unlocks a login collection in the host's directory.
func startRing(ctx context.Context, h *host, address string) (*exec.Cmd, error) {
	for _, dir := range []string{"data/keyrings", "run", "xdg"} {
		if err := os.MkdirAll(filepath.Join(h.dir, dir), 0o700); err != nil {
			return nil, err
		}
	}
	ring := exec.CommandContext(ctx, "gnome-keyring-daemon", "--foreground", "--components=secrets",
		"--control-directory="+filepath.Join(h.dir, "run", "keyring"), "--unlock")
	ring.Env = []string{
		"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "DBUS_SESSION_BUS_ADDRESS=" + address,
		"XDG_DATA_HOME=" + filepath.Join(h.dir, "data"), "XDG_CONFIG_HOME=" + filepath.Join(h.dir, "xdg"),
		"XDG_CACHE_HOME=" + filepath.Join(h.dir, "xdg"), "XDG_RUNTIME_DIR=" + filepath.Join(h.dir, "run"),
		"GIO_USE_VFS=local", "GSETTINGS_BACKEND=memory",
	}
	ring.Stdin = strings.NewReader("benchmark")
	err := ring.Start()
	return ring, err
}

// healthy waits until the keyring answers.
func (h *host) healthy(ctx context.Context) error {
	var err error
	for range 50 {
		if err = h.do(ctx, "", "agentkeys-daemon", "probe"); err == nil {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return err
}

func startBus(ctx context.Context, h *host) (*exec.Cmd, string, error) {
	config := filepath.Join(h.dir, "bus.conf")
	text := fmt.Sprintf(`<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>`, filepath.Join(h.dir, "bus"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	bus := exec.CommandContext(ctx, "dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1")
	bus.Env = h.env
	out, err := bus.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := bus.Start(); err != nil {
		return nil, "", err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return bus, "", fmt.Errorf("dbus-daemon: %w", err)
	}
	return bus, "unix:path=" + filepath.Join(h.dir, "bus"), nil
}

// moved starts the instance and waits until it has moved its session to the keychain.
func moved(ctx context.Context, h *host) error {
	cmd, _, err := h.daemon(ctx)
	if err != nil {
		return err
	}
	defer end(cmd)
	for range 300 {
		head, err := os.ReadFile(filepath.Join(filepath.Dir(h.socket()), words.FileHead))
		if err != nil {
			return err
		}
		if strings.Contains(string(head), `"where":"keychain"`) {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("the session did not move to the keychain within 30 s")
}
