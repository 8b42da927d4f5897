package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/agentkeys/agentkeys/internal/cli"
)

// printJSON writes one value and a newline to standard output.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// print writes v as JSON with --json, else the text.
func (a *app) print(v any, format string, args ...any) error {
	if a.global.JSON {
		return a.printJSON(v)
	}
	_, err := fmt.Fprintf(a.stdout, format+"\n", args...)
	return err
}

// table writes v as JSON with --json, else columns that fit the terminal.
func (a *app) table(v any, columns []cli.Column, rows [][]string) error {
	if a.global.JSON {
		return a.printJSON(v)
	}
	return a.columns(cli.Table{Columns: columns}, rows)
}

// columns writes t as wide as the terminal allows, and names the columns that were left out.
func (a *app) columns(t cli.Table, rows [][]string) error {
	if !a.global.Wide {
		t.Width = cli.WidthOf(a.stdout.Raw())
	}
	dropped, err := t.Write(a.stdout, rows)
	if len(dropped) > 0 {
		a.note("the terminal is too narrow for %s; --wide shows all", strings.Join(dropped, ", "))
	}
	return err
}

// clock is a time in full.
func clock(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// ago is roughly how long before now a time of the broker's clock was.
func ago(unix int64, now time.Time) string {
	d := now.Sub(time.Unix(unix, 0))
	switch {
	case unix == 0:
		return "never"
	case d < 0:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}
