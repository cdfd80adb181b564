package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// asLines are the flags of a command that prints a list.
type asLines struct {
	JSON bool `help:"Print one JSON object per line."`
}

// list returns a list with these columns.
func (a asLines) list(c *console, columns ...string) *list {
	if a.JSON {
		return &list{lines: json.NewEncoder(c.Out)}
	}
	l := &list{table: tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)}
	l.row(columns)
	return l
}

// A list prints its rows as a table, when it ends, or as lines of JSON. The first error is kept for the end.
type list struct {
	table *tabwriter.Writer
	lines *json.Encoder
	err   error
}

// add adds a row: an object for JSON, and its cells.
func (l *list) add(object any, cells ...string) {
	switch {
	case l.err != nil:
	case l.lines != nil:
		l.err = l.lines.Encode(object)
	default:
		l.row(cells)
	}
}

func (l *list) row(cells []string) {
	for i, cell := range cells {
		cells[i] = inputtext.Line(cell)
	}
	_, l.err = fmt.Fprintln(l.table, strings.Join(cells, "\t"))
}

func (l *list) end() error {
	if l.err == nil && l.table != nil {
		l.err = l.table.Flush()
	}
	return l.err
}
