package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"
)

// printJSON writes one value and a newline to standard output.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// print writes v as JSON where --json asks for it, else the text.
func (a *app) print(v any, format string, args ...any) error {
	if a.global.JSON {
		return a.printJSON(v)
	}
	_, err := fmt.Fprintf(a.stdout, format+"\n", args...)
	return err
}

// table writes v as JSON where --json asks for it, else aligned columns.
func (a *app) table(v any, header []string, rows [][]string) error {
	if a.global.JSON {
		return a.printJSON(v)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				_, _ = fmt.Fprint(w, "\t") // Flush returns the error
			}
			_, _ = fmt.Fprint(w, printable(cell))
		}
		_, _ = fmt.Fprintln(w)
	}
	return w.Flush()
}

// when shows a time of the broker's clock to people.
func when(unix int64) string {
	if unix == 0 {
		return "never"
	}
	return time.Unix(unix, 0).UTC().Format(time.RFC3339)
}
