package owner

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// What is read of manifests.json is what would be written: no damage that is read without
// an error forgets a revocation or a revision.
func FuzzParseKnown(f *testing.F) {
	f.Add([]byte(`{"version":1,"wallets":{"0x1111111111111111111111111111111111111111":{"revision":3,"records":{"x":2},"revoked":true}},"audit":{"number":4,"sha256":""}}`))
	f.Add([]byte(`{"version":1,"wallets":null,"epoch":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := parseKnown(data)
		if err != nil {
			return
		}
		again, err := k.encode(func(*known) {})
		if err != nil {
			t.Fatal(err)
		}
		read, err := parseKnown(again)
		if err != nil {
			t.Fatalf("%v: %q became %q", err, data, again)
		}
		if diff := cmp.Diff(k, read, cmp.AllowUnexported(known{}, knownWallet{})); diff != "" {
			t.Errorf("%q: %s", data, diff)
		}
	})
}

// The same of audit.json, which holds the broker to what it showed.
func FuzzParseAuditFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"owner":"0x1111111111111111111111111111111111111111","head":{"number":4,"sha256":"ab"}}`))
	f.Add([]byte(`{"version":1,"owner":"","head":{"number":0,"sha256":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := parseAuditFile(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		read, err := parseAuditFile(again)
		if diff := cmp.Diff(a, read, cmp.Comparer(func(x, y wallet.Wallet) bool { return x == y })); diff != "" || err != nil {
			t.Errorf("%q: %s, %v", data, diff, err)
		}
	})
}
