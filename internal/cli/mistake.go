package cli

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/display"
)

// The texts of kong's errors, which name Go types and tokens of kong.
var (
	unknownFlag    = regexp.MustCompile(`\Aunknown flag (\S+?)(?:, did you mean (.+)\?)?\z`)
	unexpected     = regexp.MustCompile(`\Aunexpected argument (.+?)(?:, did you mean (.+)\?)?\z`)
	missingFlags   = regexp.MustCompile(`\Amissing flags: (.+)\z`)
	missingOperand = regexp.MustCompile(`\Aexpected "<([\w-]+)>(?: \.\.\.)?`)
	missingCommand = regexp.MustCompile(`\Aexpected (?:one of )?"`)
	withoutValue   = regexp.MustCompile(`\A(--[\w.-]+): expected \S+ value but got "(?:EOL|-)`)
	notOneOf       = regexp.MustCompile(`\A(--[\w.-]+) must be one of (.+) but got (".*")\z`)
	notBool        = regexp.MustCompile(`\A(--[\w.-]+): bool value must be .* but got (".*")\z`)
	notDuration    = regexp.MustCompile(`\A(--[\w.-]+): expected duration but got (".*"): `)
	notNumber      = regexp.MustCompile(`\A(--[\w.-]+): expected a valid \d+ bit u?int but got (".*")\z`)
)

// mistake describes in this project's terms what kong did not accept.
func (p Program) mistake(err error) error {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%w: %w", errParser, err)
	}
	var node *kong.Node
	if parse.Context != nil {
		node = parse.Context.Selected()
	}
	said := parse.Unwrap().Error()
	if missingCommand.MatchString(said) && !missingOperand.MatchString(said) {
		return UsageOf(ErrNoCommand, p.helpFor(node))
	}
	return Usage(message(said, node), p.helpFor(node))
}

// ErrNoCommand says that only flags were typed.
var ErrNoCommand = errors.New("no command is given")

// message is the sentence for kong's error about node; nil: no command was found.
func message(said string, node *kong.Node) string {
	if m := unknownFlag.FindStringSubmatch(said); m != nil {
		return fmt.Sprintf("there is no flag %s", m[1]) + nearest(m[2])
	}
	if m := unexpected.FindStringSubmatch(said); m != nil {
		if node == nil || len(node.Children) > 0 {
			return fmt.Sprintf("there is no command %q", display.Clip(m[1], maxQuoted)) + nearest(m[2])
		}
		return fmt.Sprintf("%s does not take the argument %q", node.Name, display.Clip(m[1], maxQuoted))
	}
	if m := missingFlags.FindStringSubmatch(said); m != nil {
		first, _, _ := strings.Cut(m[1], ", ")
		return strings.Replace(first, "=", " ", 1) + " is missing"
	}
	if m := missingOperand.FindStringSubmatch(said); m != nil {
		return strings.ToUpper(m[1]) + " is missing"
	}
	if m := withoutValue.FindStringSubmatch(said); m != nil {
		return m[1] + " needs a value"
	}
	if m := notOneOf.FindStringSubmatch(said); m != nil {
		return fmt.Sprintf("%s is %s, and takes %s", m[1], m[3], alternatives(m[2]))
	}
	if m := notBool.FindStringSubmatch(said); m != nil {
		return fmt.Sprintf("%s is %s, and takes true or false", m[1], m[2])
	}
	if m := notDuration.FindStringSubmatch(said); m != nil {
		return fmt.Sprintf("%s is %s, and takes a time such as 30s or 24h", m[1], m[2])
	}
	if m := notNumber.FindStringSubmatch(said); m != nil {
		return fmt.Sprintf("%s is %s, and takes a number", m[1], m[2])
	}
	return said // the text of a field's own parser
}

// nearest is what the person may have meant: the first of a list of quoted words.
func nearest(quoted string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(quoted, "one of "), ", ")
	if first == "" || first == `"-h"` {
		return ""
	}
	return "; did you mean " + strings.Trim(first, `"`) + "?"
}

// alternatives turns `"a","b","c"` into `a, b or c`.
func alternatives(quoted string) string {
	list := strings.Split(strings.ReplaceAll(quoted, `"`, ""), ",")
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// helpFor is the command that shows the help page of node; nil: of the program.
func (p Program) helpFor(node *kong.Node) string {
	path := ""
	for ; node != nil && node.Type == kong.CommandNode; node = node.Parent {
		path = " " + node.Name + path
	}
	return p.Name + path + " --help"
}

const maxQuoted = 64 // characters of what a person typed that an error repeats

// nameOf is how a person types a flag or an argument.
func nameOf(v *kong.Value) string {
	if v.Flag != nil {
		return "--" + v.Name
	}
	return strings.ToUpper(cmp.Or(v.Tag.PlaceHolder, v.Name))
}
