// Package wallet names agents and owners: `0x` and 40 hex digits, 20 random
// bytes. The canonical form is lower case; EIP-55 mixed case is accepted on
// input and shown to people.
package wallet

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/sha3"

	"github.com/agentkeys/agentkeys/internal/display"
)

// Size is the length of a wallet in bytes.
const Size = 20

const maxQuoted = 64 // characters of a text that an error repeats

// Errors of Parse. The caller prints them; both are usage errors (exit 64).
var (
	ErrFormat   = errors.New("a wallet is 0x and 40 hex digits")
	ErrChecksum = errors.New("the EIP-55 checksum does not match: a letter is mistyped; copy the wallet again")
)

// Wallet is a comparable name. The zero value means "none".
type Wallet struct{ b [Size]byte }

// New makes a random wallet.
func New() Wallet {
	var w Wallet
	_, _ = rand.Read(w.b[:]) // crypto/rand.Read never fails (Go 1.24)
	return w
}

// Parse accepts the canonical form, all upper case digits, and EIP-55 mixed case
// with a right checksum (EIP-55: all lower or all upper carries no checksum).
func Parse(text string) (Wallet, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok {
		digits, ok = strings.CutPrefix(text, "0X")
	}
	if !ok || len(digits) != 2*Size {
		return Wallet{}, fmt.Errorf("wallet %q: %w", display.Clip(text, maxQuoted), ErrFormat)
	}
	var w Wallet
	if _, err := hex.Decode(w.b[:], []byte(digits)); err != nil {
		return Wallet{}, fmt.Errorf("wallet %q: %w", display.Clip(text, maxQuoted), ErrFormat)
	}
	mixed := digits != strings.ToLower(digits) && digits != strings.ToUpper(digits)
	if mixed && "0x"+digits != w.EIP55() {
		return Wallet{}, fmt.Errorf("wallet %q: %w", text, ErrChecksum)
	}
	return w, nil
}

// String is the canonical form. Use it wherever a program compares or stores the name.
func (w Wallet) String() string { return "0x" + hex.EncodeToString(w.b[:]) }

// IsZero reports whether no wallet is set.
func (w Wallet) IsZero() bool { return w == Wallet{} }

// EIP55 is the mixed-case form with a checksum, which is understood and never printed
// (https://eips.ethereum.org/EIPS/eip-55).
func (w Wallet) EIP55() string {
	digits := []byte(hex.EncodeToString(w.b[:]))
	h := sha3.NewLegacyKeccak256()
	h.Write(digits)
	sum := hex.EncodeToString(h.Sum(nil))
	for i, c := range digits {
		if c >= 'a' && sum[i] >= '8' {
			digits[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(digits)
}

// MarshalText gives the canonical form.
func (w Wallet) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText parses as Parse does.
func (w *Wallet) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*w = parsed
	return nil
}
