package portholder

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/test/needs"
)

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// row is a line of /proc/net/tcp, whose words are in the machine's order: here, little-endian.
func row(at, state string, uid int, inode string) string {
	return fmt.Sprintf("   0: %s 00000000:0000 %s 00000000:00000000 00:00000000 00000000 %5d        0 %s 1 0 0 100\n", at, state, uid, inode)
}

// fakeProc has one process with one socket.
func fakeProc(t *testing.T, tcp, tcp6, inode, comm, cmdline string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"net/tcp": header + tcp, "net/tcp6": header + tcp6, "77/comm": comm + "\n", "77/cmdline": cmdline} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "77", "fd"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("socket:["+inode+"]", filepath.Join(dir, "77", "fd", "5")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheKernelsTablesNameTheHolder(t *testing.T) {
	t.Parallel()
	w := wallet.New().String()
	const loopback, all, loopback6 = "0100007F:2507", "00000000:2507", "00000000000000000000000001000000:2507"
	other := row("0100007F:2508", "0A", 1, "1") + row(loopback, "01", 1, "2") // another port; not listening
	for name, c := range map[string]struct {
		tcp, tcp6, comm, cmdline string
		want                     string
		found                    bool
	}{
		"on that address":     {other + row(loopback, "0A", 0, "9"), "", "python3", "python3\x00x.py\x00", "python3 (pid 77)", true},
		"on all addresses":    {row(all, "0A", 0, "9"), "", "nginx", "nginx\x00", "nginx (pid 77)", true},
		"on all of IPv6":      {"", row("00000000000000000000000000000000:2507", "0A", 0, "9"), "nginx", "nginx\x00", "nginx (pid 77)", true},
		"an instance of ours": {row(loopback, "0A", 0, "9"), "", "agentkeys-daemo", "/usr/bin/agentkeys-daemon\x00run\x00--wallet\x00" + w + "\x00", "the AgentKeys daemon of wallet " + w + " (pid 77)", true},
		"started with =":      {row(loopback, "0A", 0, "9"), "", "agentkeys-daemo", "agentkeys-daemon\x00run\x00-wallet=" + w + "\x00", "the AgentKeys daemon of wallet " + w + " (pid 77)", true},
		"only its user shows": {row(loopback, "0A", 54999, "8"), "", "x", "x\x00", "a program of uid 54999", true},
		"IPv6 loopback only":  {"", row(loopback6, "0A", 0, "9"), "x", "x\x00", "a program that this user may not see", false},
		"nothing listens":     {other, "", "x", "x\x00", "a program that this user may not see", false},
		"not what is expected": {
			"garbage\n0: zz:2507 0:0 0A 0 0 0 0 0 9\n0: 0100007F:2507:1 0:0 0A 0 0 0 x 0 9\n", "", "x", "x\x00",
			"a program that this user may not see", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			want := netip.MustParseAddrPort("127.0.0.1:9479") // 0x2507
			proc := fakeProc(t, c.tcp, c.tcp6, "9", c.comm, c.cmdline)
			cancel() // the port of this machine is not asked: it may be anybody's
			h, found := find(ctx, want.String(), proc)
			if h.String() != c.want || found != c.found {
				t.Errorf("%q, %v; want %q, %v", h, found, c.want, c.found)
			}
		})
	}
}

func TestADaemonNamesItsWalletWhereProcIsSilent(t *testing.T) {
	t.Parallel()
	w := wallet.New().String()
	for name, c := range map[string]struct{ body, want string }{
		"an instance":        {"# HELP x y\nagentkeys_build_info{goversion=\"go1\",version=\"1\",wallet=\"" + w + "\"} 1\n", w},
		"another exporter":   {"node_boot_time_seconds 1\n", ""},
		"a web page":         {"<html>wallet=\"" + w + "\"</html>\n", ""},
		"a wallet that none": {"agentkeys_build_info{wallet=\"0x12\"} 1\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) }))
			defer s.Close()
			h, found := find(t.Context(), s.Listener.Addr().String(), t.TempDir())
			if diff := cmp.Diff(Holder{Wallet: c.want, UID: -1}, h); diff != "" || !found {
				t.Error(found, diff)
			}
		})
	}
}

func TestThisProcessIsFound(t *testing.T) {
	t.Parallel()
	needs.Linux(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	h, found := Find(t.Context(), l.Addr().String())
	if !found || h.PID != os.Getpid() || h.UID != os.Geteuid() {
		t.Errorf("%+v, %v; want pid %d", h, found, os.Getpid())
	}
	if name, found := Find(t.Context(), "no-such-host.invalid:1"); found {
		t.Errorf("a host that is none: %v", name)
	}
}
