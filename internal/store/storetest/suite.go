package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/store"
)

// RunKeychain is what every adapter of store.Keychain passes. newKeychain gives a
// healthy, writable keychain; the entries of the accounts `storetest-a` and
// `storetest-b` are the suite's to change, and gone when it ends.
func RunKeychain(t *testing.T, newKeychain func(t *testing.T) store.Keychain) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, store.Keychain){
		"a healthy keychain is writable":           checkProbe,
		"nothing stored is absent":                 checkAbsent,
		"what was put is got":                      checkValues,
		"a put replaces":                           checkOverwrite,
		"accounts do not mix":                      checkAccounts,
		"a deleted entry is absent":                checkDelete,
		"deleting nothing is no error":             checkDeleteNothing,
		"the largest value fits":                   checkLargest,
		"another instance sees what the first put": nil,
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeychain(t)
			wipe := func() {
				_ = k.Delete(t.Context(), accountA) // absent is fine
				_ = k.Delete(t.Context(), accountB)
			}
			wipe()
			defer wipe()
			if check == nil {
				put(t, k, accountA, "ak1.1.c2hhcmVk")
				wantValue(t, newKeychain(t), accountA, "ak1.1.c2hhcmVk")
				return
			}
			check(t, k)
		})
	}
}

const (
	accountA = "storetest-a"
	accountB = "storetest-b"
)

func put(t *testing.T, k store.Keychain, account, value string) {
	t.Helper()
	if err := k.Put(t.Context(), account, value); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func wantValue(t *testing.T, k store.Keychain, account, want string) {
	t.Helper()
	if got, err := k.Get(t.Context(), account); err != nil || got != want {
		t.Fatalf("get: %d bytes, %v; want %d bytes", len(got), err, len(want))
	}
}

func wantAbsent(t *testing.T, k store.Keychain, account string) {
	t.Helper()
	if got, err := k.Get(t.Context(), account); !errors.Is(err, store.ErrKeychainAbsent) {
		t.Fatalf("get: %d bytes, %v; want absent", len(got), err)
	}
}

func checkProbe(t *testing.T, k store.Keychain) {
	for name, p := range map[string]store.Probe{"cached": k.Probe(t.Context()), "fresh": k.ProbeNow(t.Context())} {
		if !p.State.Writable() || p.Provider == "" || p.Owner == "" {
			t.Errorf("%s probe: %+v", name, p)
		}
	}
}

func checkAbsent(t *testing.T, k store.Keychain) { wantAbsent(t, k, accountA) }

// checkValues uses what the store writes (one line of ASCII) and what an entry of
// another program may hold.
func checkValues(t *testing.T, k store.Keychain) {
	for _, value := range []string{
		"ak1.1.e30", "a", "-w", "--", "a b  c", `"quoted" 'too' \back`, "$HOME `id` ;&|<>(){}[]*?#~%!",
		`{"token":"t","wallet":"0x00","scope":null,"created_at":1,"ttl_seconds":2}`,
		"é ü 漢字 🔑", "ak1.18446744073709551615." + strings.Repeat("A", 2500),
	} {
		put(t, k, accountA, value)
		wantValue(t, k, accountA, value)
	}
}

func checkOverwrite(t *testing.T, k store.Keychain) {
	put(t, k, accountA, "ak1.1.bG9uZ2VyLXRoYW4tdGhlLW5leHQ")
	put(t, k, accountA, "ak1.2.c2hvcnQ")
	wantValue(t, k, accountA, "ak1.2.c2hvcnQ")
}

func checkAccounts(t *testing.T, k store.Keychain) {
	put(t, k, accountA, "ak1.1.YQ")
	wantAbsent(t, k, accountB)
	put(t, k, accountB, "ak1.1.Yg")
	wantValue(t, k, accountA, "ak1.1.YQ")
	if err := k.Delete(t.Context(), accountA); err != nil {
		t.Fatal(err)
	}
	wantValue(t, k, accountB, "ak1.1.Yg")
}

func checkDelete(t *testing.T, k store.Keychain) {
	put(t, k, accountA, "ak1.1.YQ")
	if err := k.Delete(t.Context(), accountA); err != nil {
		t.Fatalf("delete: %v", err)
	}
	wantAbsent(t, k, accountA)
}

func checkDeleteNothing(t *testing.T, k store.Keychain) {
	if err := k.Delete(t.Context(), accountA); err != nil && !errors.Is(err, store.ErrKeychainAbsent) {
		t.Fatalf("delete: %v", err)
	}
}

func checkLargest(t *testing.T, k store.Keychain) {
	size := k.MaxValue()
	if size == 0 {
		size = 16 << 10
	}
	largest := strings.Repeat("k", size)
	put(t, k, accountA, largest)
	wantValue(t, k, accountA, largest)
}
