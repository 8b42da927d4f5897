package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/agentkeys/agentkeys/internal/display"
)

const (
	pageWidth  = 80 // columns of a help page
	leftWidth  = 26 // of a flag or command with the space after it
	leftIndent = 2
)

// writeHelp prints the page of the command in ctx, or of the program.
func (p Program) writeHelp(w io.Writer, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil || node.Type == kong.ApplicationNode {
		return p.writeProgram(w, ctx.Model)
	}
	return p.writeCommand(w, ctx.Model, node)
}

func (p Program) writeProgram(w io.Writer, app *kong.Application) error {
	usage, flags := "COMMAND [flags]", "Flags of every command:"
	end := app.Name + " COMMAND --help says more of one command."
	if app.DefaultCmd != nil {
		usage, flags = "[flags]", "Flags:"
		end = "Example:\n  " + p.Examples[""]
	}
	var page strings.Builder
	fmt.Fprintf(&page, "Usage: %s %s\n\n%s\n\nCommands:\n", app.Name, usage, display.Wrap(app.Help, pageWidth, ""))
	for _, c := range app.Children {
		if !c.Hidden {
			entry(&page, c.Name, c.Help)
		}
	}
	page.WriteString("\n" + flags + "\n")
	for _, f := range app.Flags {
		flagEntry(&page, f)
	}
	page.WriteString("\n" + end + "\n")
	_, err := io.WriteString(w, page.String())
	return err
}

func (p Program) writeCommand(w io.Writer, app *kong.Application, node *kong.Node) error {
	var page strings.Builder
	fmt.Fprintf(&page, "Usage: %s\n\n%s\n", usageLine(app, node), display.Wrap(node.Help, pageWidth, ""))
	if len(node.Positional) > 0 {
		page.WriteString("\nArguments:\n")
		for _, o := range node.Positional {
			entry(&page, operand(o), o.Help)
		}
	}
	if len(node.Children) > 0 {
		page.WriteString("\nCommands:\n")
		for _, c := range node.Children {
			entry(&page, c.Name, c.Help)
		}
	}
	if len(node.Flags) > 0 {
		page.WriteString("\nFlags:\n")
		for _, f := range node.Flags {
			flagEntry(&page, f)
		}
	}
	if example := p.Examples[strings.TrimPrefix(node.Path(), p.Name+" ")]; example != "" {
		fmt.Fprintf(&page, "\nExample:\n  %s\n", strings.ReplaceAll(example, "\n", "\n  "))
	}
	fmt.Fprintf(&page, "\n%s --help lists the flags of every command.\n", app.Name)
	_, err := io.WriteString(w, page.String())
	return err
}

// usageLine is `agentkeys-broker backup FILE --data DIR [flags]`.
func usageLine(app *kong.Application, node *kong.Node) string {
	words := []string{app.Name, strings.TrimPrefix(node.Path(), app.Name+" ")}
	if len(node.Children) > 0 && node.DefaultCmd == nil {
		words = append(words, "COMMAND")
	}
	optional := false
	for _, o := range node.Positional {
		words = append(words, operand(o))
	}
	for _, f := range node.Flags {
		if f.Required {
			words = append(words, flagText(f))
		}
		optional = optional || !f.Required && !f.Hidden
	}
	if optional {
		words = append(words, "[flags]")
	}
	return strings.Join(words, " ")
}

// operand is FILE, [FILE] or COMMAND...
func operand(o *kong.Positional) string {
	text := nameOf(o)
	if o.IsCumulative() {
		text += "..."
	}
	if !o.Required {
		text = "[" + text + "]"
	}
	return text
}

func flagText(f *kong.Flag) string {
	text := "--" + f.Name
	if !f.IsBool() && !f.IsCounter() {
		text += " " + f.FormatPlaceHolder()
	}
	return text
}

func flagEntry(page *strings.Builder, f *kong.Flag) {
	if f.Hidden {
		return
	}
	text := flagText(f)
	if f.Short != 0 {
		text = "-" + string(f.Short) + ", " + text
	}
	help := f.Help
	if f.Name == "help" {
		help = "Print this page and end."
	}
	entry(page, text, help)
}

// entry writes a name and its description, on the same line if both fit.
func entry(page *strings.Builder, left, help string) {
	indent := strings.Repeat(" ", leftIndent+leftWidth)
	text := display.Wrap(help, pageWidth-len(indent), indent)
	if len(left) >= leftWidth {
		fmt.Fprintf(page, "  %s\n%s%s\n", left, indent, text)
		return
	}
	fmt.Fprintf(page, "  %-*s%s\n", leftWidth, left, text)
}
