package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

func (s *scene) slot(a agent) string { return filepath.Join(s.dir, "home", "daemon-"+a.wallet) }

// storage shows which backend keeps the sessions, and why.
func (s *scene) storage(ctx context.Context) error {
	s.begin("each session is in a slot of its own")
	for _, a := range []agent{s.a, s.b} {
		data, err := os.ReadFile(filepath.Join(s.slot(a), words.FileHead))
		if err != nil {
			return fmt.Errorf("read the slot of %s: %w", a.name, err)
		}
		var head struct {
			ID, Where string
			Payload   json.RawMessage
		}
		if err := json.Unmarshal(data, &head); err != nil {
			return fmt.Errorf("read the slot of %s: %w", a.name, err)
		}
		payload := map[bool]string{true: "with payload", false: "without payload"}
		s.check(a.name+"'s slot", fmt.Sprintf("daemon-%s in the %s, %s", a.wallet, a.backend, payload[a.backend == "file"]),
			fmt.Sprintf("%s in the %s, %s", head.ID, head.Where, payload[len(head.Payload) > 0]))
	}
	o, err := s.do(ctx, "", "agentkeys-daemon", "probe", "--json")
	if err != nil {
		return err
	}
	var probe struct{ State, Provider string }
	if err := json.Unmarshal([]byte(o.stdout), &probe); err != nil {
		return fmt.Errorf("read the probe: %w: %s", err, o)
	}
	why := "the keychain is " + probe.State
	if probe.Provider != "" && probe.Provider != "unknown" {
		why += " (" + probe.Provider + ")"
	}
	s.note("storage backend: %s, because %s", s.a.backend, why)
	return nil
}

// atRest waits until the daemon that began at that time has written its cache with the
// broker's first answer, and returns the print of the slot. After that no write is due,
// because no time of the lease is used.
func atRest(ctx context.Context, dir string, began time.Time) (string, error) {
	for {
		cache := filepath.Join(dir, words.FileCache)
		data, err := os.ReadFile(cache)
		info, err2 := os.Stat(cache)
		if err == nil && err2 == nil && info.ModTime().After(began) && strings.Contains(string(data), `"lease_used_seconds":0,`) {
			break
		}
		if err := pause(ctx); err != nil {
			return "", fmt.Errorf("%s/cache.json is not written: %w", dir, err)
		}
	}
	last, err := slotPrint(dir)
	for range 20 {
		was := last
		for range 3 {
			if err := pause(ctx); err != nil {
				return "", err
			}
		}
		if last, err = slotPrint(dir); err == nil && last == was {
			break
		}
	}
	return last, err
}

// slotPrint is a hash of the names and contents of a slot's files.
func slotPrint(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", e.Name(), len(data), data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:16], nil
}

func (s *scene) stopAndStart(ctx context.Context) error {
	s.begin("stopping and starting either leaves the other untouched")
	for _, pair := range [][2]*agent{{&s.a, &s.b}, {&s.b, &s.a}} {
		one, other := pair[0], pair[1]
		before, err := atRest(ctx, s.slot(*other), other.began)
		if err != nil {
			return err
		}
		s.check(one.name+" stops", "exit 0", fmt.Sprint("exit ", one.stop()))
		o, err := s.do(ctx, "", "agentkeys", "list", "--wallet", other.wallet)
		if err != nil {
			return err
		}
		s.check(other.name+" goes on meanwhile", "exit 0", fmt.Sprint("exit ", o.code))
		if err := s.up(ctx, one); err != nil {
			return err
		}
		after, err := slotPrint(s.slot(*other))
		if err != nil {
			return err
		}
		s.check(other.name+"'s slot, byte for byte", before, after)
	}
	return nil
}

const families = "storage_backend credentials broker_up session_generation credential_requests_total keychain_state"

// metrics shows what Prometheus scrapes from each instance.
func (s *scene) metrics(ctx context.Context) error {
	s.begin("metrics of both instances, from metrics.sock")
	var told []string
	for _, f := range strings.Fields(families) {
		told = append(told, "agentkeys_"+f)
	}
	for _, a := range []agent{s.a, s.b} {
		text, err := scrape(ctx, filepath.Join(s.slot(a), words.MetricsSocket))
		if err != nil {
			return err
		}
		var shown []string
		for _, l := range strings.Split(text, "\n") {
			if name, _, _ := strings.Cut(l, "{"); slices.Contains(told, name) && !strings.HasSuffix(l, " 0") {
				shown = append(shown, l)
			}
		}
		up := slices.ContainsFunc(shown, func(l string) bool { return strings.HasPrefix(l, "agentkeys_broker_up{") })
		own := !slices.ContainsFunc(shown, func(l string) bool { return !strings.Contains(l, `wallet="`+a.wallet+`"`) })
		s.check(a.name+" is connected, and speaks of itself only", "true true", fmt.Sprint(up, " ", own))
		for _, l := range shown {
			s.note("%s", l)
		}
	}
	return nil
}

func scrape(ctx context.Context, socket string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance/metrics", http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("scrape %s: %w", socket, err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("scrape %s: HTTP %d, %w", socket, resp.StatusCode, err)
	}
	return string(text), nil
}
