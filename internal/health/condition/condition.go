// Package condition declares what can be wrong with a daemon: code, severity, text and the
// command that mends it. Daemon and clients use the same list, so a client needs only the
// code from a daemon (docs/spec/architecture.md#conditions).
package condition

import (
	"strings"
)

// Code names a condition. Scripts and alerts depend on it, so it never changes.
type Code string

// The conditions.
const (
	KeychainLocked           Code = "keychain_locked"
	KeychainUnavailable      Code = "keychain_unavailable"
	FellBackToFile           Code = "fell_back_to_file"
	StoreInDoubt             Code = "store_in_doubt"
	SlotInsecure             Code = "slot_insecure"
	SlotCorrupt              Code = "slot_corrupt"
	SlotInconsistent         Code = "slot_inconsistent"
	StateReadOnly            Code = "state_read_only"
	NoSpace                  Code = "no_space"
	ClockNotSet              Code = "clock_not_set"
	ClockWrong               Code = "clock_wrong"
	BrokerAway               Code = "broker_away"
	BrokerCertificateChanged Code = "broker_certificate_changed"
	SessionRevoked           Code = "session_revoked"
	SessionExpired           Code = "session_expired"
	RenewalFailing           Code = "renewal_failing"
	CloneSuspected           Code = "clone_suspected"
	ManifestRefused          Code = "manifest_refused"
	RecordWithheld           Code = "record_withheld"
	MetricsUnavailable       Code = "metrics_unavailable"
	CacheCorrupt             Code = "cache_corrupt"
	OfflineTooLong           Code = "offline_too_long"
	DeviceKeyMissing         Code = "device_key_missing"
	SettingsRefused          Code = "settings_refused"
)

// Severity says whether the daemon still does its work.
type Severity string

// Warning: the daemon serves, but a person should look. Error: it does not serve, serves
// less than its owner listed, or will stop serving.
const (
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Declaration is what is known of a condition before it occurs. Hint is the command that
// mends it, with <wallet> for the instance's wallet; empty where it ends by itself.
type Declaration struct {
	Code     Code
	Severity Severity
	Message  string
	Hint     string
}

const (
	hintProbe   = "agentkeys-daemon probe"
	hintRecover = "agentkeys-daemon recover <wallet> --broker URL"
	hintDoctor  = "agentkeys-daemon doctor --wallet <wallet>" // it examines the case and names the command for it
	hintClock   = "sudo timedatectl set-ntp true"
)

// Declared lists every condition, in the order in which they are shown.
func Declared() []Declaration {
	return []Declaration{
		{KeychainLocked, Warning, "the keychain is locked", hintProbe},
		{KeychainUnavailable, Warning, "the keychain cannot be used now", hintProbe},
		{FellBackToFile, Warning, "the session is stored in the file because the keychain did not take it", hintProbe},
		{StoreInDoubt, Warning, "the keychain did not confirm a change, which may still land", hintProbe},
		{SlotInsecure, Error, "owner, mode or kind of a session file is wrong", hintDoctor},
		{SlotCorrupt, Error, "the session file cannot be read, and was kept", hintRecover},
		{SlotInconsistent, Error, "the session file and the keychain disagree", hintRecover},
		{StateReadOnly, Error, "the state directory cannot be written", hintDoctor},
		{NoSpace, Error, "there is no space left for the state", hintDoctor},
		{ClockNotSet, Warning, "the clock was not set since the machine started", hintClock},
		{ClockWrong, Warning, "the clock differs from the broker's", hintClock},
		{BrokerAway, Warning, "the broker cannot be used now", ""},
		{BrokerCertificateChanged, Error, "the broker's certificate is not the expected one", hintRecover},
		{SessionRevoked, Error, "the owner ended this session", hintRecover},
		{SessionExpired, Error, "the broker does not accept this session any more", hintRecover},
		{RenewalFailing, Warning, "the session could not be renewed for more than a day", hintDoctor},
		{CloneSuspected, Error, "another device uses a copy of this session; nothing new is given to either", hintRecover},
		{ManifestRefused, Error, "a manifest was refused: not signed by the owner, or older than the one in use", "agentkeys scope --agent <wallet>"},
		{RecordWithheld, Error, "the broker does not deliver a credential that the owner listed", "agentkeys list --agent <wallet>"},
		{MetricsUnavailable, Warning, "nothing listens on the address of metrics_listen; it is tried again", hintDoctor},
		{CacheCorrupt, Warning, "the cache was damaged; it is fetched again", ""},
		{OfflineTooLong, Error, "the broker was away for longer than the owner allows", ""},
		{DeviceKeyMissing, Error, "the session has no device keys, so no credential can be opened", hintRecover},
		{SettingsRefused, Error, "the settings were not taken at the last reload, and those before them go on", HintSettings},
	}
}

// Of is the declaration of code, with the wallet in its hint. told is the hint that a daemon
// sent, which may fit the case better; it is used only if it is one of the known hints.
func Of(code, told, wallet string) (Declaration, bool) {
	fill := func(hint string) string { return strings.ReplaceAll(hint, "<wallet>", wallet) }
	for _, d := range Declared() {
		if string(d.Code) != code {
			continue
		}
		d.Hint = fill(d.Hint)
		other := fill(otherHint(d.Code))
		if told != "" && (told == other || told == AsRoot(other) || told == AsRoot(d.Hint)) {
			d.Hint = told
		}
		return d, true
	}
	return Declaration{}, false
}

// AsRoot is the hint with sudo, for an instance of the machine, whose slot only root may change.
func AsRoot(hint string) string {
	if strings.HasPrefix(hint, "agentkeys-daemon ") {
		return "sudo " + hint
	}
	return hint
}

// HintContainer is for a program whose process or user the daemon cannot see.
const HintContainer = "run this in the daemon's container (docker exec CONTAINER ...), or give both one PID namespace (docker run --pid=container:CONTAINER)"

// HintUpgrade is for a slot that a newer version wrote.
const HintUpgrade = "upgrade agentkeys"

// HintRecover is for a device whose signature the broker does not accept any more: a recovery
// gives the slot new keys.
const HintRecover = hintRecover

// HintSettings shows which settings count and where each is set: for a setting that names
// a broker other than the session's.
const HintSettings = "agentkeys-daemon run --print-config --wallet <wallet>"

// otherHint is a second hint that a daemon may send, for a case that the declared one does
// not mend: a slot that a newer version wrote, a keychain that the units' user can never
// have, a renewal that the broker denies, and a wrong broker that a setting names.
func otherHint(code Code) string {
	switch code {
	case SlotCorrupt:
		return HintUpgrade
	case KeychainUnavailable:
		return AsRoot(hintRecover)
	case RenewalFailing:
		return HintRecover
	case BrokerAway, BrokerCertificateChanged:
		return HintSettings
	}
	return ""
}
