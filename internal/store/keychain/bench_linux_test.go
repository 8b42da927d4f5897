package keychain_test

import (
	"testing"

	keyring "github.com/zalando/go-keyring"

	"github.com/agentkeys/agentkeys/internal/store/keychain/keyringtest"
)

const benchValue = "ak1.1.eyJ0b2tlbiI6IkFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUEifQ"

func BenchmarkProbe(b *testing.B) {
	_, k := inKeyring(b, keyringtest.Unlocked)
	for b.Loop() {
		if p := k.ProbeNow(b.Context()); !p.State.Writable() {
			b.Fatal(p)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	_, k := inKeyring(b, keyringtest.Unlocked)
	if err := k.Put(b.Context(), account, benchValue); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Get(b.Context(), account); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	_, k := inKeyring(b, keyringtest.Unlocked)
	for b.Loop() {
		if err := k.Put(b.Context(), account, benchValue); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGoKeyring makes the same calls with the library in this process; the difference is
// what the child costs. The library has one connection, so this is one benchmark.
func BenchmarkGoKeyring(b *testing.B) {
	g, _ := inKeyring(b, keyringtest.Unlocked)
	b.Setenv("DBUS_SESSION_BUS_ADDRESS", g.Address)
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			if err := keyring.Set("agentkeys", account, benchValue); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := keyring.Get("agentkeys", account); err != nil {
				b.Fatal(err)
			}
		}
	})
}
