package e2e_test

import (
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// display is the EIP-55 form.
func display(t testing.TB, w string) string {
	t.Helper()
	parsed, err := wallet.Parse(w)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.EIP55()
}

// miscased is a mixed form whose checksum is wrong: one letter of the right one is
// turned, and at least one of each case is left.
func miscased(t testing.TB, w string) string {
	t.Helper()
	right := display(t, w)
	for i := len(right) - 1; i > 1; i-- {
		c := right[i : i+1]
		turned := strings.ToUpper(c)
		if turned == c {
			turned = strings.ToLower(c)
		}
		wrong := right[:i] + turned + right[i+1:]
		digits := wrong[2:]
		if turned != c && digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) {
			return wrong
		}
	}
	t.Fatal("a wallet without two letters: one in ten million; run again")
	return ""
}
