package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agentkeys/agentkeys/internal/display"
)

// View is how reports are printed for people.
type View struct {
	Verbose bool   // each check that is OK has a line too
	Width   int    // of the terminal, in columns; 0: lines are not wrapped
	Paint   Paint  // colours verdicts; nil: they are not coloured
	More    string // the command that prints all checks
}

// Paint colours a word by how much attention it needs.
type Paint interface {
	Good(word string) string
	Warn(word string) string
	Bad(word string) string
}

const (
	checkIndent = "                         " // before the message of a check: its verdict and name
	hintIndent  = "        "
	leastAlias  = 12
	besideAlias = 64 // columns of a title besides the alias
)

// Print writes the machine once and then each slot, the worst first.
func (v View) Print(w io.Writer, reports []Report) error {
	var page strings.Builder
	hidden := false
	for _, b := range blocks(reports, v.Width) {
		hidden = v.block(&page, b) || hidden
	}
	if hidden && v.More != "" {
		fmt.Fprintf(&page, "%s shows every check\n", v.More)
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// block is what stands below one title.
type block struct {
	title  string
	checks []Check
}

// ofMachine are the checks that are about the machine and its broker, if all slots have them alike.
func ofMachine(name string) bool {
	return slices.Contains([]string{"settings", "memory", "clock", "keychain", "broker", "broker_clock"}, name)
}

// blocks moves what all reports say of the machine into a block of its own, which comes first.
func blocks(reports []Report, width int) []block {
	machine := block{title: "this machine"}
	var slots []block
	for i, r := range reports {
		b := block{title: r.title(width)}
		for _, c := range r.Checks {
			switch {
			case r.SessionID != "" && !shared(reports, c):
				b.checks = append(b.checks, c)
			case i == 0:
				machine.checks = append(machine.checks, c)
			}
		}
		if r.SessionID != "" {
			slots = append(slots, b)
		}
	}
	slices.SortStableFunc(slots, func(a, b block) int { return worst(b.checks).rank() - worst(a.checks).rank() })
	return append([]block{machine}, slots...)
}

// shared reports whether a check is the machine's: every report has it. What is wrong with the broker,
// or with what starts the instances, may be the fault of a single instance.
func shared(reports []Report, c Check) bool {
	several := len(reports) > 1
	switch {
	case c.Name == "start_at_boot" && several:
	case !ofMachine(c.Name), c.Name == "broker" && c.Status != OK && !several:
		return false
	}
	return !slices.ContainsFunc(reports, func(r Report) bool { return !slices.Contains(r.Checks, c) })
}

// title is the alias before the wallet, or the slot of an owner. A terminal of width columns shows the
// wallet and the verdict whole; 0: it is no terminal.
func (r Report) title(width int) string {
	switch {
	case r.Alias != "" && width > 0:
		return display.Fit(display.Line(r.Alias), max(leastAlias, width-besideAlias)) + " (" + r.Wallet + ")"
	case r.Alias != "":
		return display.Line(r.Alias) + " (" + r.Wallet + ")"
	case r.Wallet != "":
		return r.Wallet
	}
	return r.SessionID
}

// block prints b. What is fine is one line, unless v is verbose; hidden: such a line was printed.
func (v View) block(page *strings.Builder, b block) (hidden bool) {
	if len(b.checks) == 0 {
		return false
	}
	fine := 0
	for _, c := range b.checks {
		if c.Status == OK {
			fine++
		}
	}
	verdict := v.paint(worst(b.checks))
	if fine == len(b.checks) && !v.Verbose {
		fmt.Fprintf(page, "%s: %s, %d checks\n", b.title, verdict, fine)
		return true
	}
	fmt.Fprintf(page, "%s: %s\n", b.title, verdict)
	for _, c := range b.checks {
		if v.Verbose || c.Status != OK {
			v.check(page, c)
		}
	}
	if fine > 0 && !v.Verbose {
		fmt.Fprintf(page, "  %s    %d more checks\n", v.paint(OK), fine)
	}
	return fine > 0 && !v.Verbose
}

func (v View) check(page *strings.Builder, c Check) {
	gap := strings.Repeat(" ", len(Warn)-len(c.Status))
	fmt.Fprintf(page, "  %s%s  %-15s  %s\n", v.paint(c.Status), gap, c.Name, display.Hang(shown(c.Message), v.Width, checkIndent))
	if c.Hint != "" {
		fmt.Fprintf(page, "%stry: %s\n", hintIndent, shown(c.Hint))
	}
}

func (v View) paint(s Status) string {
	switch word := string(s); {
	case v.Paint == nil:
		return word
	case s == OK:
		return v.Paint.Good(word)
	case s == Warn:
		return v.Paint.Warn(word)
	default:
		return v.Paint.Bad(word)
	}
}

// shown is text that may come from a broker, a daemon or a file name, on one line.
func shown(text string) string { return display.Line(strings.ReplaceAll(text, "\n", "; ")) }
