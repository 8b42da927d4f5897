package doctor

import (
	"fmt"
	"slices"

	"github.com/agentkeys/agentkeys/internal/health/condition"
)

// finding is a check with its relations to others, since one cause has one line (ADR 20).
type finding struct {
	Check
	tells []string // conditions of the daemon that this check covers
	after []string // checks and conditions from which it only follows
}

func ok(name, format string, args ...any) finding {
	return finding{Check: Check{Name: name, Status: OK, Message: fmt.Sprintf(format, args...)}}
}

func warn(name, hint, format string, args ...any) finding {
	return finding{Check: Check{Name: name, Status: Warn, Message: fmt.Sprintf(format, args...), Hint: hint}}
}

func fail(name, hint, format string, args ...any) finding {
	return finding{Check: Check{Name: name, Status: Fail, Message: fmt.Sprintf(format, args...), Hint: hint}}
}

// says adds conditions that this check covers.
func (f finding) says(codes ...condition.Code) finding {
	for _, code := range codes {
		f.tells = append(f.tells, string(code))
	}
	return f
}

// follows adds checks or conditions that make this one a consequence.
func (f finding) follows(names ...string) finding {
	f.after = append(f.after, names...)
	return f
}

func one(f finding) []finding { return []finding{f} }

// fold leaves out what another line covers, or what only follows from it. That line gets what the
// consequence adds, and the worse of both verdicts.
func fold(all []finding) []Check {
	held, said := saidBy(all)
	causes := condition.Follow(held, func(code string) []string {
		if by := said[code]; by != code {
			return []string{by}
		}
		after := condition.Because(code)
		for _, f := range all {
			if f.Name == code && f.Status != OK {
				after = append(after, f.after...)
			}
		}
		return after
	})
	out := []Check{}
	for _, f := range all {
		if f.Status != OK && causes[f.Name] != "" {
			continue
		}
		first := !slices.ContainsFunc(out, func(c Check) bool { return c.Name == f.Name && c.Status != OK })
		if f.Status != OK && first { // one line of a check that has several
			f.add(all, causes)
		}
		out = append(out, f.Check)
	}
	return out
}

// saidBy lists what is wrong, and for each the check that covers it. The daemon's conditions that a
// check covers belong to that check.
func saidBy(all []finding) (held []string, said map[string]string) {
	said = map[string]string{}
	say := func(code, by string) {
		if said[code] == "" {
			said[code], held = by, append(held, code)
		}
	}
	wrong := slices.DeleteFunc(slices.Clone(all), func(f finding) bool { return f.Status == OK })
	for _, f := range wrong {
		for _, code := range f.tells {
			say(code, f.Name)
		}
	}
	for _, f := range wrong {
		say(f.Name, f.Name)
	}
	return held, said
}

// add adds to f what follows from it.
func (f *finding) add(all []finding, causes map[string]string) {
	for _, other := range all {
		if other.Status == OK || causes[other.Name] != f.Name {
			continue
		}
		if adds := condition.Adds(other.Name, append(f.tells, f.Name)...); adds != "" {
			f.Message += "; " + adds
		}
		if other.Status.rank() > f.Status.rank() {
			f.Status = other.Status
		}
	}
}
