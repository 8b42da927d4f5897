package portholder

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// socket is a listening socket as /proc/net/tcp and tcp6 list it (proc(5)).
type socket struct {
	at    netip.AddrPort
	uid   int
	inode string
}

const listening = "0A" // TCP_LISTEN

// socketOf finds the socket that keeps want from being bound: the same port on the same
// address, or on all addresses.
func socketOf(proc string, want netip.AddrPort) (socket, bool) {
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(filepath.Join(proc, "net", table))
		if err != nil {
			continue // there is no such table: another system, or a kernel without IPv6
		}
		for line := range strings.Lines(string(data)) {
			if s, ok := parseSocket(line); ok && s.collides(want) {
				return s, true
			}
		}
	}
	return socket{}, false
}

func (s socket) collides(want netip.AddrPort) bool {
	mine, its := want.Addr(), s.at.Addr()
	return s.at.Port() == want.Port() && (mine == its || mine.IsUnspecified() || its.IsUnspecified())
}

// parseSocket reads `sl local_address rem_address st queues timer retransmit uid timeout inode`.
func parseSocket(line string) (socket, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != listening {
		return socket{}, false
	}
	host, port, ok := strings.Cut(fields[1], ":")
	number, portErr := strconv.ParseUint(port, 16, 16)
	uid, uidErr := strconv.Atoi(fields[7])
	addr, ok2 := parseAddr(host)
	if !ok || !ok2 || portErr != nil || uidErr != nil {
		return socket{}, false
	}
	return socket{at: netip.AddrPortFrom(addr, uint16(number)), uid: uid, inode: fields[9]}, true
}

// parseAddr reads an address as the kernel prints it: 32-bit words in the machine's byte order.
func parseAddr(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return addr.Unmap(), ok
}

// processOf finds the process that has the socket open. Only root may read the descriptors of
// another user's processes, and of processes that made themselves undumpable.
func processOf(proc, inode string) (pid int, command, its string) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, "", ""
	}
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err == nil && holds(filepath.Join(proc, e.Name(), "fd"), inode) {
			dir := filepath.Join(proc, e.Name())
			name, _ := os.ReadFile(filepath.Join(dir, "comm")) // the process may have ended
			return number, strings.TrimSpace(string(name)), walletOf(dir)
		}
	}
	return 0, "", ""
}

func holds(dir, inode string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		return err == nil && target == "socket:["+inode+"]"
	})
}

// walletOf is the wallet on the command line of `agentkeys-daemon run --wallet`.
func walletOf(dir string) string {
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return ""
	}
	args := bytes.Split(bytes.TrimRight(line, "\x00"), []byte{0})
	if filepath.Base(string(args[0])) != "agentkeys-daemon" {
		return ""
	}
	for i, arg := range args {
		text := string(arg)
		if i > 0 && strings.TrimLeft(string(args[i-1]), "-") == "wallet" {
			return canonical(text)
		}
		if value, ok := strings.CutPrefix(strings.TrimLeft(text, "-"), "wallet="); ok {
			return canonical(value)
		}
	}
	return ""
}
