// Package pty has pseudo-terminals for tests of what a program shows to a person.
package pty

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/agentkeys/agentkeys/test/needs"
)

// Terminal is one side of a pseudo-terminal, for the streams of a program.
type Terminal struct {
	*os.File

	screen *os.File
	shown  chan string
}

// New opens a terminal of so many columns. It exists on Linux.
func New(t testing.TB, columns int) *Terminal {
	t.Helper()
	needs.Linux(t)
	screen, file, err := open(columns)
	if err != nil {
		t.Fatal(err)
	}
	p := &Terminal{File: file, screen: screen, shown: make(chan string, 1)}
	go func() {
		var text bytes.Buffer
		_, _ = io.Copy(&text, screen) // it ends with EIO when the last program has closed the terminal
		p.shown <- text.String()
	}()
	t.Cleanup(func() { _, _ = file.Close(), screen.Close() })
	return p
}

// Shown closes the terminal, and returns what was written to it, with line feeds alone. Every program
// that has it open must have ended.
func (p *Terminal) Shown() string {
	_ = p.File.Close() // it was not closed before
	return strings.ReplaceAll(<-p.shown, "\r\n", "\n")
}
