package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/agentkeys/agentkeys/internal/agent/enroll"
	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/brokerclient"
	"github.com/agentkeys/agentkeys/internal/checkup"
	"github.com/agentkeys/agentkeys/internal/condition"
	"github.com/agentkeys/agentkeys/internal/doctor"
	"github.com/agentkeys/agentkeys/internal/localapi"
	"github.com/agentkeys/agentkeys/internal/paths"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/scope"
	"github.com/agentkeys/agentkeys/internal/seal"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/systemd"
	"github.com/agentkeys/agentkeys/internal/wallet"
	"github.com/agentkeys/agentkeys/internal/words"
)

// failure is an error with what a script and a person need beside it.
type failure struct {
	exit int
	code string // stable
	hint string // the command that helps; may be empty
	err  error
	said bool // the outcome was printed; only the exit code is left
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(err error, hint string) error {
	return &failure{exit: words.ExitUsage, code: "usage", hint: hint, err: err}
}

// outcome ends the program with exit where the output has said everything.
func outcome(exit int) error {
	if exit == words.ExitOK {
		return nil
	}
	return &failure{exit: exit, said: true, err: errors.New("see the output")}
}

// classify gives every error its exit code, stable code and hint.
func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	f = &failure{exit: words.ExitFault, code: "error", err: err}
	for _, known := range decisions() {
		if errors.Is(err, known.is) {
			f.exit, f.code, f.hint = known.exit, known.code, known.hint
			break
		}
	}
	var insecure *store.InsecureError
	if errors.As(err, &insecure) {
		f.hint = insecure.Fix
	}
	var foreign *systemd.ForeignError
	if errors.As(err, &foreign) {
		f.code, f.hint = "drop_in_foreign", "mv "+foreign.Path+" "+foreign.Path+".aside"
	}
	var unread *settings.UnreadableError
	if errors.As(err, &unread) { // 64 would keep the unit from trying again
		f.exit, f.code, f.hint = words.ExitFault, "settings_unreadable", readableHint(unread)
	}
	var pairing *enroll.Failure
	var problem *protocol.Problem
	switch {
	case errors.As(err, &pairing):
		f.code = pairing.Code
	case errors.As(err, &problem):
		f.code = problem.Code
	default:
		return f
	}
	if f.code == protocol.CodeReadOnly {
		f.hint = doctor.HintBrokerDisk
	}
	if exit, ok := exitOfCode(f.code); ok {
		f.exit = exit
	}
	return f
}

// readableHint opens the file, or the directory where that is closed; there is no
// secret in settings.
func readableHint(e *settings.UnreadableError) string {
	if !errors.Is(e.Err, fs.ErrPermission) {
		return "ls -l " + e.Path
	}
	if _, err := os.Stat(e.Path); errors.Is(err, fs.ErrPermission) {
		return "chmod 0755 " + filepath.Dir(e.Path)
	}
	return "chmod 0644 " + e.Path
}

func exitOfCode(code string) (int, bool) {
	switch code {
	case protocol.CodePairingDenied, protocol.CodeDenied, protocol.CodeDeniedScope, protocol.CodeSessionRevoked:
		return words.ExitDenied, true
	case protocol.CodeUnreachable, protocol.CodeCertificate, protocol.CodeUnavailable, protocol.CodeReadOnly, protocol.CodeRestored, protocol.CodeSlowDown:
		return words.ExitUnreachable, true
	}
	return 0, false
}

type decision struct {
	is   error
	exit int
	code string
	hint string
}

func decisions() []decision {
	return []decision{
		{settings.ErrSettings, words.ExitUsage, "usage", name + " run --print-config"},
		{wallet.ErrFormat, words.ExitUsage, "usage", ""},
		{wallet.ErrChecksum, words.ExitUsage, "usage", ""},
		{scope.ErrScope, words.ExitUsage, "usage", ""},
		{scope.ErrService, words.ExitUsage, "usage", ""},
		{seal.ErrAlias, words.ExitUsage, "usage", ""},
		{session.ErrID, words.ExitUsage, "usage", ""},
		{brokerclient.ErrURL, words.ExitUsage, "usage", name + " pair --broker https://HOST:8420"},
		{paths.ErrHome, words.ExitUsage, "usage", "export AGENTKEYS_HOME=/absolute/path"},
		{store.ErrConfig, words.ExitUsage, "usage", ""},
		{enroll.ErrGone, words.ExitNoSession, "no_session", name + " recover WALLET --broker URL"},
		{store.ErrNoSession, words.ExitNoSession, "no_session", name + " pair --broker URL"},
		{store.ErrBusy, words.ExitFault, "busy", name + " status"},
		{store.ErrUnavailable, words.ExitFault, "keychain_unavailable", name + " probe"},
		{store.ErrInsecure, words.ExitFault, "slot_insecure", ""},
		{store.ErrCorrupt, words.ExitFault, "slot_corrupt", name + " recover WALLET --broker URL"},
		{store.ErrInconsistent, words.ExitFault, "slot_inconsistent", name + " recover WALLET --broker URL"},
		{store.ErrNewer, words.ExitFault, "slot_newer", "upgrade " + name},
		{store.ErrInDoubt, words.ExitFault, "store_in_doubt", name + " probe"},
		{localapi.ErrInUse, words.ExitFault, "busy", name + " status"},
		{localapi.ErrPath, words.ExitFault, "socket", ""},
		{atomicfile.ErrUnfit, words.ExitFault, "home_unfit", "export AGENTKEYS_HOME=DIR   (DIR on a file system with owners and modes)"},
		{syscall.ESTALE, words.ExitFault, "home_stale", "mount the file server's directory again: sudo umount -l DIR; sudo mount DIR"},
		{syscall.ENOSPC, words.ExitFault, string(condition.NoSpace), "df -h"},
		{syscall.EROFS, words.ExitFault, string(condition.StateReadOnly), name + " doctor"},
		{protocol.ErrUnpinned, words.ExitUnreachable, protocol.CodeCertificate, "give the whole URL that the broker printed: --broker https://HOST:8420#spki-sha256-..."},
		{protocol.ErrCertificate, words.ExitUnreachable, protocol.CodeCertificate, "compare with the URL that agentkeys-broker prints when it starts; another key is another broker"},
		{protocol.ErrUnreachable, words.ExitUnreachable, protocol.CodeUnreachable, "start the broker (agentkeys-broker serve) or give another --broker URL"},
	}
}

// report tells the person or script what went wrong and returns the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return words.ExitOK
	}
	f := classify(err)
	if f.said {
		return f.exit
	}
	if f.code == string(condition.StateReadOnly) {
		f.hint = cmp.Or(p.readOnlyHint(err), f.hint)
	}
	if p.flags.JSON {
		data, err := json.Marshal(map[string]map[string]string{
			"error": {"code": f.code, "message": f.err.Error(), "hint": f.hint},
		})
		if err == nil {
			_, _ = fmt.Fprintf(p.stderr, "%s\n", data)
			return f.exit
		}
	}
	_, _ = fmt.Fprintf(p.stderr, "%s: error: %v\n", name, f.err)
	if f.hint != "" {
		_, _ = fmt.Fprintf(p.stderr, "%s: hint: %s\n", name, f.hint)
	}
	return f.exit
}

// readOnlyHint is for the disk that holds the path of err, else the home.
func (p *program) readOnlyHint(err error) string {
	path, _ := p.home() // without a home nothing could have been written
	var at *fs.PathError
	if errors.As(err, &at) && filepath.IsAbs(at.Path) {
		path = at.Path
	}
	return checkup.ReadOnlyHint(path)
}

func (p *program) writeJSON(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	p.printf("%s\n", data)
	return nil
}
