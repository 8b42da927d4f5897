package protocol

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/wallet"
)

// MaxEventCount bounds the count of one event. A daemon that counted more reports this
// number, which then means that many or more.
const MaxEventCount = 100_000

var (
	interfacePattern = regexp.MustCompile(`\A[a-z0-9.-]{1,64}\z`)
	callerPattern    = regexp.MustCompile(`\A[a-z]{1,16}=[A-Za-z0-9_.:-]{1,64}\z`)
	unitPattern      = regexp.MustCompile(`\A[A-Za-z0-9:_.\\@-]{1,255}\z`)
	walletPattern    = regexp.MustCompile(`0x[0-9a-f]{40}`)
	escapedByte      = regexp.MustCompile(`\\x[0-9a-fA-F]{2}`)
)

// IsInterface accepts names like `agent.sock`. Like a caller and a unit it has no blank, so
// that ParseAccessDetail reads what String wrote.
func IsInterface(text string) bool { return interfacePattern.MatchString(text) }

// IsCaller accepts `uid=1000`, and `uid=others` for callers that are counted together.
func IsCaller(text string) bool { return callerPattern.MatchString(text) }

// IsUnit accepts the name of a systemd unit.
func IsUnit(text string) bool { return unitPattern.MatchString(text) }

// NamesOtherWallet reports whether text contains another wallet than own, or is the unit of
// a daemon of another wallet. It undoes systemd's escapes and ignores the case of letters.
func NamesOtherWallet(text string, own wallet.Wallet) bool {
	plain := strings.ToLower(escapedByte.ReplaceAllStringFunc(text, func(e string) string {
		b, err := strconv.ParseUint(e[2:], 16, 8)
		if err != nil {
			return e // cannot happen: the pattern has two hex digits
		}
		return string(rune(b))
	}))
	for _, w := range walletPattern.FindAllString(plain, -1) {
		if w != own.String() {
			return true
		}
	}
	instance, daemon := strings.CutPrefix(plain, "agentkeys-daemon@")
	return daemon && strings.TrimSuffix(instance, ".service") != own.String()
}

// AccessDetail is the `detail` of an audit row about local accesses, or about several events
// at once. Empty fields, and a Count of 1, are not written.
type AccessDetail struct {
	Interface string
	Caller    string
	Unit      string
	Reason    string // of a denial
	Count     int
	At        int64 // when it happened, by the board's clock, if the report came late; Unix seconds
}

// String is the detail as a row has it: `interface=agent.sock caller=uid=1000 count=3`.
func (d AccessDetail) String() string {
	var parts []string
	for _, p := range []struct{ key, value string }{{"interface", d.Interface}, {"caller", d.Caller}, {"unit", d.Unit}, {"reason", d.Reason}} {
		if p.value != "" {
			parts = append(parts, p.key+"="+p.value)
		}
	}
	if d.Count > 1 {
		parts = append(parts, fmt.Sprintf("count=%d", d.Count))
	}
	if d.At != 0 {
		parts = append(parts, "at="+time.Unix(d.At, 0).UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, " ")
}

// ParseAccessDetail reads what String wrote. It ignores words that it does not know; Count
// is at least 1.
func ParseAccessDetail(text string) AccessDetail {
	d := AccessDetail{Count: 1}
	for _, part := range strings.Fields(text) {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "interface":
			d.Interface = value
		case "caller":
			d.Caller = value
		case "unit":
			d.Unit = value
		case "reason":
			d.Reason = value
		case "count":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				d.Count = n
			}
		case "at":
			if t, err := time.Parse(time.RFC3339, value); err == nil {
				d.At = t.Unix()
			}
		}
	}
	return d
}
