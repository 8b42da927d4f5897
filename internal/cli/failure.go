package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/agentkeys/agentkeys/internal/words"
)

// CodeUsage is the code of everything that was typed wrongly.
const CodeUsage = "usage"

// CodeError is the code of a fault that no table knows.
const CodeError = "error"

// Failure is an error with what scripts and people need of it. Its text is Err's.
type Failure struct {
	Exit int    // one of words.Exit...
	Code string // for scripts; it never changes
	Hint string // the command that helps; may be empty
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Usage is a mistake in what was typed, with the command that is right.
func Usage(message, hint string) *Failure { return UsageOf(errors.New(message), hint) }

// UsageOf makes err a mistake in what was typed.
func UsageOf(err error, hint string) *Failure {
	return &Failure{Exit: words.ExitUsage, Code: CodeUsage, Hint: hint, Err: err}
}

// exited is an end of the program whose output has said everything.
type exited struct{ code int }

func (e exited) Error() string { return fmt.Sprintf("exit %d", e.code) }

// Exit ends the program with code and tells nothing. A nil error is Exit(0).
func Exit(code int) error {
	if code == words.ExitOK {
		return nil
	}
	return exited{code}
}

// hinted is an error with the command that helps against it here.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// Hinted gives err a hint that takes the place of the one of its rule: the place where an
// error is met often knows better than the table what helps.
func Hinted(err error, hint string) error { return hinted{err, hint} }

// Rule says how an error of the project is told.
type Rule struct {
	is   error
	exit int
	code string
	hint string
}

// On is the rule for every error that is err: the exit code, the stable code for scripts,
// and the command that helps, which may be empty.
func On(err error, exit int, code, hint string) Rule { return Rule{err, exit, code, hint} }

// Classify is the Failure in err, or the first rule that err matches, or a fault without a
// hint; with the hint of Hinted where err has one. A more special rule therefore stands
// before a general one.
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

// Reporter tells how a program ended.
type Reporter struct {
	Program string
	Err     io.Writer
	JSON    bool // as one JSON object
}

// Report tells err and returns the exit code. translate makes it a Failure; nil: as Classify
// does without rules.
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
	if !r.JSON || !r.object(f) {
		r.text(f)
	}
	return f.Exit
}

func (r Reporter) text(f *Failure) {
	_, _ = fmt.Fprintf(r.Err, "%s: error: %v\n", r.Program, f) // there is no place left to say that it failed
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

// WantsJSON reports whether args, with the program's name first, ask for JSON. It decides
// how an error is told even where the arguments cannot be parsed.
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
