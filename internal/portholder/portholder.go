// Package portholder finds the process that holds a TCP port of this machine: in /proc, on
// Linux and where the kernel lets this user look, and by asking the listener whether it is
// another AgentKeys daemon. The result is shown to people and decides nothing.
package portholder

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/user"
	"regexp"
	"strconv"
	"time"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// Holder is the process that listens on a port. Each field may be unknown.
type Holder struct {
	Wallet  string // of an AgentKeys daemon, canonical; empty: it is none, or not known
	Command string // the short name of the program
	PID     int    // 0: not known
	UID     int    // its user; -1: not known
}

// String describes the holder to people.
func (h Holder) String() string {
	who := "a program that this user may not see"
	switch {
	case h.Wallet != "":
		who = "the AgentKeys daemon of wallet " + h.Wallet
	case h.Command != "":
		who = h.Command
	case h.UID >= 0:
		return "a program of " + userName(h.UID)
	}
	if h.PID > 0 {
		who += fmt.Sprintf(" (pid %d)", h.PID)
	}
	return who
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}

// Find looks for the holder of address, host:port. found is false if nothing listens there,
// as far as this machine can tell.
func Find(ctx context.Context, address string) (h Holder, found bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	return find(ctx, address, "/proc")
}

// Wallet asks the listener at address for its metrics and returns the wallet in them. Empty:
// there is no answer, or it is no AgentKeys daemon.
func Wallet(ctx context.Context, address string) string {
	at, err := resolve(ctx, address)
	if err != nil {
		return ""
	}
	told, _ := ask(ctx, at)
	return told
}

func find(ctx context.Context, address, proc string) (h Holder, found bool) {
	h = Holder{UID: -1}
	want, err := resolve(ctx, address)
	if err != nil {
		return h, false
	}
	if s, ok := socketOf(proc, want); ok {
		found = true
		h.UID = s.uid
		h.PID, h.Command, h.Wallet = processOf(proc, s.inode)
	}
	if h.PID == 0 {
		told, answers := ask(ctx, want)
		h.Wallet = told
		found = found || answers
	}
	return h, found
}

// resolve is the address as the kernel lists it. It looks a name up.
func resolve(ctx context.Context, address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("split address: %w", err)
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("look up port: %w", err)
	}
	if host == "" {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(number)), nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("look up host: %w", err)
	}
	return netip.AddrPortFrom(found[0].Unmap(), uint16(number)), nil
}

const (
	askTimeout = time.Second
	maxAnswer  = 1 << 20 // bytes of an exposition
)

var walletLabel = regexp.MustCompile(`^agentkeys_build_info\{[^}]*\bwallet="(0x[0-9a-f]{40})"`)

// ask requests /metrics from the listener. An AgentKeys daemon names its wallet there.
func ask(ctx context.Context, at netip.AddrPort) (told string, answers bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/metrics", http.NoBody)
	if err != nil {
		return "", false
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy, since the listener is on this machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", false
	}
	defer func() { _ = resp.Body.Close() }() // read only
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxAnswer))
	for lines.Scan() {
		if m := walletLabel.FindStringSubmatch(lines.Text()); m != nil {
			return canonical(m[1]), true
		}
	}
	return "", true
}

// canonical is text if it is a wallet in canonical form, else empty.
func canonical(text string) string {
	w, err := wallet.Parse(text)
	if err != nil || w.String() != text {
		return ""
	}
	return text
}
