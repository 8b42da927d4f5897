package cli

import "io"

// Colour is the flag --color of a command whose output may be coloured.
type Colour struct {
	Color string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours: auto is on a terminal only; or always, never ($$NO_COLOR)."`
}

// Paint colours words for a terminal. The zero Paint leaves them as they are.
type Paint struct{ on bool }

// PaintFor is how w is coloured. NO_COLOR and a terminal without colours count where the person did
// not choose (https://no-color.org).
func (c Colour) PaintFor(w io.Writer, getenv func(string) string) Paint {
	switch c.Color {
	case "always":
		return Paint{true}
	case "never":
		return Paint{}
	}
	return Paint{IsTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

// Good is for what works.
func (p Paint) Good(text string) string { return p.paint("32", text) }

// Warn is for what works and should be looked at.
func (p Paint) Warn(text string) string { return p.paint("33", text) }

// Bad is for what does not work.
func (p Paint) Bad(text string) string { return p.paint("31", text) }

func (p Paint) paint(code, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
