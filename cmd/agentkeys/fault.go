package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/localclient"
	"github.com/agentkeys/agentkeys/internal/owner"
	"github.com/agentkeys/agentkeys/internal/pairing"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

const (
	hintInit   = "agentkeys init"
	hintDoctor = "agentkeys doctor"

	hintRestore = "agentkeys-broker restore FILE --data DIR   (on that broker's machine, with a backup of the broker that knows it)"

	hintCertificate = "compare with the URL that agentkeys-broker prints when it starts; another key is another broker"
)

// codeNotConfirmed: a person was asked and did not say yes.
const codeNotConfirmed = "not_confirmed"

// usageError is a mistake in what was typed.
type usageError struct{ message, hint string }

func (e usageError) Error() string { return e.message }

// exitError ends the program with the code of the child that `run` started.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// hintedError adds the next command to an error.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

// fault is how an error is told.
type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	exit    int
}

// fail tells err on standard error and gives the exit code.
func (a *app) fail(err error, asJSON bool) int {
	var child exitError
	if errors.As(err, &child) {
		return child.code
	}
	if a.interrupted {
		err = errInterrupted // whatever it broke
	}
	f := faultOf(err)
	if asJSON || a.global.JSON {
		line, encodeErr := json.Marshal(map[string]fault{"error": f})
		if encodeErr == nil {
			_, _ = fmt.Fprintf(a.stderr, "%s\n", line) // nowhere left to complain
		}
		return f.exit
	}
	_, _ = fmt.Fprintf(a.stderr, "agentkeys: error: %s\n", f.Message)
	if f.Hint != "" {
		_, _ = fmt.Fprintf(a.stderr, "agentkeys: hint: %s\n", f.Hint)
	}
	return f.exit
}

// faultOf translates an error once, here.
func faultOf(err error) fault {
	f := fault{Code: "error", Message: err.Error(), exit: words.ExitFault}
	var usage usageError
	var p *protocol.Problem
	var away *localclient.UnreachableError
	switch {
	case errors.As(err, &usage):
		f.Code, f.Hint, f.exit = "usage", usage.hint, words.ExitUsage
	case errors.As(err, &p):
		f = problemFault(err, p)
	case errors.As(err, &away) && errors.Is(away.Err, fs.ErrPermission):
		f.Code, f.exit, f.Hint = protocol.CodeDenied, words.ExitDenied, "run it as root or as the daemon's user"
	case errors.As(err, &away):
		f.Code, f.exit, f.Hint = "daemon_away", words.ExitUnreachable, "agentkeys-daemon status"
	default:
		for _, known := range knownFaults() {
			if errors.Is(err, known.err) {
				f.Code, f.exit, f.Hint = known.code, known.exit, known.hint
				break
			}
		}
	}
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		f.Hint = insecure.Fix
	}
	var hinted hintedError
	if errors.As(err, &hinted) {
		f.Hint = hinted.hint
	}
	return f
}

type knownFault struct {
	err  error
	code string
	exit int
	hint string
}

// knownFaults is tried from the top; the more special error stands first.
func knownFaults() []knownFault {
	return []knownFault{
		{owner.ErrNoAccount, "no_session", words.ExitNoSession, hintInit},
		{store.ErrNoSession, "no_session", words.ExitNoSession, hintInit},
		{owner.ErrNotOwner, protocol.CodeDenied, words.ExitDenied, "agentkeys --session-id master whoami"},
		{owner.ErrOtherAccount, protocol.CodeConflict, words.ExitFault, "agentkeys --session-id second init --recovery-key -"},
		{owner.ErrSetupToken, "usage", words.ExitUsage, "agentkeys init --broker URL --setup-token-file FILE"},
		{owner.ErrSetupRefused, protocol.CodeDenied, words.ExitDenied, "agentkeys init --broker URL --setup-token-file FILE"},
		{owner.ErrBrokerURL, "usage", words.ExitUsage, "agentkeys init --broker URL --setup-token-file FILE"},
		{owner.ErrAll, "usage", words.ExitUsage, "agentkeys scope --agent IDENTITY --set a,b"},
		{owner.ErrScope, protocol.CodeDeniedScope, words.ExitDenied, "agentkeys list"},
		{owner.ErrAuditFile, "corrupt", words.ExitFault, "agentkeys usage --accept   (only if you damaged the file yourself)"},
		{errNotApproved, codeNotConfirmed, words.ExitFault, ""},
		{errKept, codeNotConfirmed, words.ExitFault, ""},
		{errInterrupted, "interrupted", words.ExitFault, ""},
		{errProgram, protocol.CodeNotFound, words.ExitFault, ""},
		{owner.ErrUnknownAccount, "account_unknown", words.ExitFault, hintRestore},
		{owner.ErrKind, "usage", words.ExitUsage, ""},
		{owner.BothError{}, "usage", words.ExitUsage, ""},
		{brokerclient.ErrURL, "usage", words.ExitUsage, ""},
		{settings.ErrSettings, "usage", words.ExitUsage, "agentkeys-daemon run --print-config"},
		{pairing.ErrForged, protocol.CodePairingForged, words.ExitFault, "compare the code with the board's screen; if it is right, do not trust this broker"},
		{pairing.ErrCode, "usage", words.ExitUsage, ""},
		{owner.ErrWithheld, protocol.CodeRecordWithheld, words.ExitFault, ""},
		{seal.ErrManifest, protocol.CodeManifestRefused, words.ExitFault, ""},
		{owner.ErrRewritten, "audit_rewritten", words.ExitFault, "agentkeys usage --accept   (only if you restored the broker yourself)"},
		{owner.ErrNoCredential, protocol.CodeNotFound, words.ExitFault, "agentkeys list"},
		{owner.ErrNoBoard, protocol.CodeNotFound, words.ExitFault, "compare the code with the board's screen; if it is older than 10 minutes, pair again"},
		{owner.ErrNotFound, protocol.CodeNotFound, words.ExitFault, "agentkeys agents"},
		{owner.ErrTaken, protocol.CodeConflict, words.ExitFault, "agentkeys agents"},
		{owner.ErrLimit, protocol.CodeConflict, words.ExitFault, "agentkeys list"},
		{session.ErrID, "usage", words.ExitUsage, ""},
		{wallet.ErrFormat, "usage", words.ExitUsage, ""},
		{wallet.ErrChecksum, "usage", words.ExitUsage, ""},
		{scope.ErrService, "usage", words.ExitUsage, ""},
		{scope.ErrScope, "usage", words.ExitUsage, ""},
		{seal.ErrAlias, "usage", words.ExitUsage, ""},
		{seal.ErrEmail, "usage", words.ExitUsage, ""},
		{seal.ErrRecoveryKey, "usage", words.ExitUsage, ""},
		{paths.ErrHome, "usage", words.ExitUsage, ""},
		{store.ErrConfig, "usage", words.ExitUsage, ""},
		{store.ErrUnavailable, "keychain_unavailable", words.ExitFault, "unlock the keychain, or set AGENTKEYS_SESSION_STORE=file before `agentkeys init`"},
		{store.ErrInDoubt, "store_in_doubt", words.ExitFault, ""},
		{store.ErrInconsistent, "slot_inconsistent", words.ExitFault, "agentkeys init --recovery-key -"},
		{atomicfile.ErrUnfit, "home_unfit", words.ExitFault, "export AGENTKEYS_HOME=DIR   (DIR on a file system with owners and modes)"},
		{syscall.ESTALE, "home_stale", words.ExitFault, "mount the file server's directory again: sudo umount -l DIR; sudo mount DIR"},
		{store.ErrInsecure, "slot_insecure", words.ExitFault, ""},
		{store.ErrCorrupt, "slot_corrupt", words.ExitFault, "agentkeys init --recovery-key -"},
		{store.ErrBusy, "busy", words.ExitFault, ""},
		{store.ErrStale, "busy", words.ExitFault, ""},
		{store.ErrNewer, "slot_newer", words.ExitFault, "upgrade agentkeys"},
		{protocol.ErrUnpinned, protocol.CodeCertificate, words.ExitUnreachable, "agentkeys --broker URL COMMAND   (the whole URL that the broker printed, with #spki-sha256-...)"},
		{protocol.ErrCertificate, protocol.CodeCertificate, words.ExitUnreachable, hintCertificate},
		{protocol.ErrUnreachable, protocol.CodeUnreachable, words.ExitUnreachable, hintDoctor},
	}
}

// problemFault tells the broker's (or the daemon's) own answer.
func problemFault(err error, p *protocol.Problem) fault {
	f := fault{Code: p.Code, Message: err.Error(), exit: words.ExitFault}
	switch p.Code {
	case protocol.CodeDenied, protocol.CodeDeniedScope, protocol.CodePairingDenied, protocol.CodeApprovalNeeded:
		f.exit = words.ExitDenied
	case protocol.CodeSessionRevoked:
		f.exit, f.Hint = words.ExitDenied, hintInit
	case protocol.CodeTokenRetired:
		f.Message, f.exit, f.Hint = "this account was opened elsewhere, and its session there replaced this one", words.ExitNoSession, hintInit
	case protocol.CodeTokenUnknown, protocol.CodeSessionExpired:
		f.exit, f.Hint = words.ExitNoSession, hintInit
	case protocol.CodeSlowDown:
		f.Message = fmt.Sprintf("%s; try again in %d s", f.Message, p.RetryAfter)
	case protocol.CodeReadOnly:
		f.exit, f.Hint = words.ExitUnreachable, doctor.HintBrokerDisk
	case protocol.CodeUnavailable, protocol.CodeRestored:
		f.exit = words.ExitUnreachable
	}
	return f
}

// whichFault tells a person who named no wallet what to type.
func whichFault(err error) error {
	var many owner.ManyError
	if errors.As(err, &many) {
		return usageError{message: err.Error(), hint: "agentkeys COMMAND --wallet " + many.Wallets[0].String()}
	}
	if errors.Is(err, owner.ErrNoAccount) {
		err = fmt.Errorf("this machine has neither an account nor an agent: %w", err)
		return hintedError{error: err, hint: hintPair + "   (or, on your own machine: agentkeys init)"}
	}
	return err
}

// agentSlotFault makes the hint of an agent's slot that cannot be opened the daemon's.
// Only where there is no session at all it is pairing (design 2, load).
func agentSlotFault(err error, id session.ID) error {
	w, _ := id.Wallet()
	for _, known := range []struct {
		err  error
		hint string
	}{
		{owner.ErrNoAccount, hintPair},
		{store.ErrUnavailable, "unlock the keychain, then: agentkeys-daemon probe"},
		{store.ErrCorrupt, "agentkeys-daemon recover " + w.String() + " --broker URL"},
		{store.ErrInconsistent, "agentkeys-daemon recover " + w.String() + " --broker URL"},
	} {
		if errors.Is(err, known.err) {
			return hintedError{error: err, hint: known.hint}
		}
	}
	return err
}

// deviceFault makes the hint of a session that the broker does not take the daemon's.
func deviceFault(err error, w wallet.Wallet) error {
	var p *protocol.Problem
	if errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		return hintedError{error: err, hint: "agentkeys-daemon recover " + w.String()}
	}
	return err
}

// daemonFault makes the hint of a daemon's refusal the daemon's.
func daemonFault(err error, w wallet.Wallet) error {
	var p *protocol.Problem
	switch {
	case !errors.As(err, &p):
		return err
	case p.CallerUnseen():
		return hintedError{error: err, hint: condition.HintContainer}
	case p.Detail == protocol.DetailRules:
		return hintedError{error: err, hint: "agentkeys-daemon run --print-config --wallet " + w.String() + "   (who may ask: allow, allow_root)"}
	}
	return hintedError{error: err, hint: "agentkeys-daemon status --wallet " + w.String()}
}
