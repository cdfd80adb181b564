package bundle

import (
	_ "embed"
	"io"
	"slices"
	"text/template"
	"time"
)

//go:embed readme.txt
var readmeText string

var readme = template.Must(template.New("README.txt").Parse(readmeText))

func (b *writer) readme() {
	b.file("README.txt", func(w io.Writer) error {
		has := func(name string) bool { return slices.Contains(b.written, name) }
		return readme.Execute(w, map[string]any{
			"Made": b.made.UTC().Format(time.RFC3339), "Has": has, "Missing": b.missing,
		})
	})
}
