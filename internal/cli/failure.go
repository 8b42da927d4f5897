package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/agentkeys/agentkeys/internal/words"
)

// CodeUsage is the code of every mistake in what was typed.
const CodeUsage = "usage"

// CodeNotConfirmed is the code where a person was asked and did not say yes.
const CodeNotConfirmed = "not_confirmed"

// CodeError is the code of a fault for which there is no rule.
const CodeError = "error"

// Failure is an error with what scripts and people need. Its text is Err's.
type Failure struct {
	Exit int    // one of words.Exit...
	Code string // for scripts; it never changes
	Hint string // the command that helps; may be empty
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Usage is a mistake in what was typed, with the right command.
func Usage(message, hint string) *Failure { return UsageOf(errors.New(message), hint) }

// UsageOf makes err a mistake in what was typed.
func UsageOf(err error, hint string) *Failure {
	return &Failure{Exit: words.ExitUsage, Code: CodeUsage, Hint: hint, Err: err}
}

// exited ends the program when its output has said everything.
type exited struct{ code int }

func (e exited) Error() string { return fmt.Sprintf("exit %d", e.code) }

// Exit ends the program with code and reports nothing. A nil error is the same as Exit(0).
func Exit(code int) error {
	if code == words.ExitOK {
		return nil
	}
	return exited{code}
}

// hinted is an error with a hint for the place where it occurred.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// Hinted gives err a hint that replaces the one of its rule, because the place where an error occurs
// often knows better than the table what helps.
func Hinted(err error, hint string) error { return hinted{err, hint} }

// Rule says how an error is reported.
type Rule struct {
	is   error
	exit int
	code string
	hint string
}

// On is the rule for every error that is err: the exit code, the stable code for scripts,
// and the command that helps, which may be empty.
func On(err error, exit int, code, hint string) Rule { return Rule{err, exit, code, hint} }

// Classify is the Failure in err, or the first rule that matches err, or a fault without a hint; with
// the hint of Hinted if err has one. So a more specific rule comes before a general one.
func Classify(err error, rules []Rule) *Failure {
	f := matching(err, rules)
	var with hinted
	if errors.As(err, &with) {
		f.Hint = with.hint
	}
	return f
}

func matching(err error, rules []Rule) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return &Failure{Exit: f.Exit, Code: f.Code, Hint: f.Hint, Err: err}
	}
	for _, r := range rules {
		if errors.Is(err, r.is) {
			return &Failure{Exit: r.exit, Code: r.code, Hint: r.hint, Err: err}
		}
	}
	return &Failure{Exit: words.ExitFault, Code: CodeError, Err: err}
}

// Reporter reports how a program ended.
type Reporter struct {
	Program string
	Err     io.Writer
	JSON    bool // as one JSON object
	Typist  Typist
}

// Report reports err and returns the exit code. translate turns it into a Failure; nil: as Classify
// without rules.
func (r Reporter) Report(err error, translate func(error) *Failure) int {
	if err == nil {
		return words.ExitOK
	}
	var done exited
	if errors.As(err, &done) {
		return done.code
	}
	if translate == nil {
		translate = func(err error) *Failure { return Classify(err, nil) }
	}
	f := translate(err)
	f.Hint = r.Typist.Hint(f.Hint)
	if !r.JSON || !r.object(f) {
		r.text(f)
	}
	return f.Exit
}

func (r Reporter) text(f *Failure) {
	_, _ = fmt.Fprintf(r.Err, "%s: error: %v\n", r.Program, f) // if it fails, there is no other output
	if f.Hint != "" {
		_, _ = fmt.Fprintf(r.Err, "%s: hint: %s\n", r.Program, f.Hint)
	}
}

func (r Reporter) object(f *Failure) bool {
	type told struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
	line, err := json.Marshal(map[string]told{"error": {f.Code, f.Error(), f.Hint}})
	if err != nil {
		return false
	}
	_, _ = fmt.Fprintf(r.Err, "%s\n", line)
	return true
}

// WantsJSON reports whether args, with the program's name first, ask for JSON. It decides how an error
// is reported even if the arguments cannot be parsed.
func WantsJSON(args []string) bool {
	for _, arg := range args[min(1, len(args)):] {
		switch arg {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}
