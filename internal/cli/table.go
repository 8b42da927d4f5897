package cli

import (
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/agentkeys/agentkeys/internal/display"
)

// Column is one column of a table.
type Column struct {
	Title string
	// Drop is the order in which columns are left out if the terminal is too narrow: the highest
	// first. 0: the column is always shown.
	Drop int
	// Min is the width to which cells may be cut; 0: they are never cut.
	Min int
	// Paint colours a cell, but not the title; nil: it is not coloured.
	Paint func(cell string) string
}

// Table writes rows as aligned columns.
type Table struct {
	Columns []Column
	Width   int  // in columns of the terminal; 0: as wide as the cells need
	Bare    bool // without the header
}

const columnGap = 2

// Write writes the header and the rows. Cells are made safe for a terminal, since they may hold foreign
// text. dropped are the titles of the columns that did not fit.
func (table Table) Write(w io.Writer, rows [][]string) (dropped []string, err error) {
	cells := [][]string{make([]string, len(table.Columns))}
	for i, c := range table.Columns {
		cells[0][i] = c.Title
	}
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = display.Line(cell)
		}
		cells = append(cells, safe)
	}
	widths := table.fit(cells)
	var page strings.Builder
	for i, row := range cells {
		if i > 0 || !table.Bare {
			page.WriteString(line(row, widths, table.columns(i)))
		}
	}
	for i, width := range widths {
		if width == 0 {
			dropped = append(dropped, table.Columns[i].Title)
		}
	}
	_, err = io.WriteString(w, page.String())
	return dropped, err
}

// columns are the columns of row i, of which the first is the header and has no colours.
func (table Table) columns(i int) []Column {
	if i == 0 {
		return make([]Column, len(table.Columns))
	}
	return table.Columns
}

// fit are the widths of the columns; 0: the column is left out.
func (table Table) fit(cells [][]string) []int {
	widths := make([]int, len(table.Columns))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], display.Width(cell))
		}
	}
	for table.Width > 0 && total(widths) > table.Width {
		if !table.drop(widths) && !table.cut(widths) {
			break
		}
	}
	return widths
}

// drop leaves out the least important column; false: none may be left out.
func (table Table) drop(widths []int) bool {
	worst := -1
	for i, c := range table.Columns {
		if widths[i] > 0 && c.Drop > 0 && (worst < 0 || c.Drop > table.Columns[worst].Drop) {
			worst = i
		}
	}
	if worst >= 0 {
		widths[worst] = 0
	}
	return worst >= 0
}

// cut makes the widest column that may be cut narrower by one; false: there is none.
func (table Table) cut(widths []int) bool {
	widest := -1
	for i, c := range table.Columns {
		if c.Min > 0 && widths[i] > c.Min && (widest < 0 || widths[i] > widths[widest]) {
			widest = i
		}
	}
	if widest >= 0 {
		widths[widest]--
	}
	return widest >= 0
}

func total(widths []int) int {
	sum := -columnGap
	for _, width := range widths {
		if width > 0 {
			sum += width + columnGap
		}
	}
	return sum
}

// line is a row of cells as wide as the columns.
func line(row []string, widths []int, columns []Column) string {
	var out strings.Builder
	for i, cell := range row {
		if widths[i] == 0 {
			continue
		}
		cell = display.Fit(cell, widths[i])
		gap := strings.Repeat(" ", widths[i]-display.Width(cell)+columnGap)
		if paint := columns[i].Paint; paint != nil {
			cell = paint(cell)
		}
		out.WriteString(cell + gap)
	}
	return strings.TrimRight(out.String(), " ") + "\n"
}

// IsTerminal reports whether stream, an io.Reader or io.Writer, is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// WidthOf is the number of columns of the terminal w; 0: w is no terminal, or does not tell.
func WidthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Worst orders rows by how much attention they need: first lists the words that come first, and words
// that it does not list come last.
func Worst(a, b string, first ...string) int {
	rank := func(word string) int {
		if i := slices.Index(first, word); i >= 0 {
			return i
		}
		return len(first)
	}
	return rank(a) - rank(b)
}
