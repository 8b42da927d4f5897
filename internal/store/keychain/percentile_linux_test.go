package keychain_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	keyring "github.com/zalando/go-keyring"

	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// timed runs op b.N times and reports the median and the 99th percentile in ms.
func timed(b *testing.B, op func() error) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := op(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	ms := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))]) / float64(time.Millisecond)
	}
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
}

// BenchmarkStore is what one save and one load cost in each store, what the probe costs, and
// for comparison what go-keyring costs without a child, all in one run.
func BenchmarkStore(b *testing.B) {
	g, k := inKeyring(b, keyringtest.Unlocked)
	id := session.DaemonID(wallet.New())
	v := session.Session{Token: session.NewToken(), CreatedAt: 1, TTLSeconds: 1}
	v.Wallet, _ = id.Wallet()
	for _, mode := range []words.Mode{words.ModeFile, words.ModeKeychain} {
		s, err := store.New(store.Config{Home: filepath.Join(b.TempDir(), "home"), Mode: mode, Keychain: k})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("save/"+string(mode), func(b *testing.B) {
			timed(b, func() error { _, err := s.Save(b.Context(), id, v); return err })
		})
		b.Run("load/"+string(mode), func(b *testing.B) {
			timed(b, func() error { _, _, err := s.Load(b.Context(), id); return err })
		})
	}
	b.Run("probe", func(b *testing.B) {
		timed(b, func() error { k.ProbeNow(b.Context()); return nil })
	})
	b.Setenv("DBUS_SESSION_BUS_ADDRESS", g.Address)
	b.Run("go-keyring/set", func(b *testing.B) {
		timed(b, func() error { return keyring.Set("agentkeys", account, benchValue) })
	})
	b.Run("go-keyring/get", func(b *testing.B) {
		timed(b, func() error { _, err := keyring.Get("agentkeys", account); return err })
	})
}

// BenchmarkLockedKeyring asks a locked keyring again and again and reports what is
// left in this process after b.N questions: goroutines and children over the start.
// Run it with -benchtime 1000x. Go-keyring without a child gets a hundredth of the questions,
// since what it leaks grows quadratically.
func BenchmarkLockedKeyring(b *testing.B) {
	g, k := inKeyring(b, keyringtest.Locked)
	b.Run("ours", func(b *testing.B) {
		leaves(b, func() { _, _ = k.Get(b.Context(), account) })
	})
	b.Setenv("DBUS_SESSION_BUS_ADDRESS", g.Address)
	b.Run("go-keyring", func(b *testing.B) {
		asked := 0
		leaves(b, func() {
			if asked++; asked%100 == 0 {
				_, _ = keyring.Get("agentkeys", account)
			}
		})
	})
}

func leaves(b *testing.B, ask func()) {
	b.Helper()
	goroutines, children := runtime.NumGoroutine(), childCount(b)
	for b.Loop() {
		ask()
	}
	for end := time.Now().Add(time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		runtime.Gosched() // the last child's reader may still be on its way out
	}
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines-left")
	b.ReportMetric(float64(childCount(b)-children), "children-left")
}

func childCount(b *testing.B) int {
	b.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(threads) == 0 {
		b.Fatalf("%d threads, %v", len(threads), err)
	}
	n := 0
	for _, path := range threads {
		data, err := os.ReadFile(path)
		if err == nil { // a thread may end in between
			n += len(strings.Fields(string(data)))
		}
	}
	return n
}
