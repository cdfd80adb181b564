package page

import (
	"html/template"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// functions are those of all templates; a section adds its own by methods of its data.
var functions = template.FuncMap{
	"stamp":      stamp,
	"line":       inputtext.Line,
	"prose":      prose,
	"capitalise": capitalise,
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// capitalise makes a clause a sentence.
func capitalise(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// prose renders text between backquotes as code.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}
