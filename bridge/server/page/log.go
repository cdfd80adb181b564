package page

import (
	"io"
	"net/http"
	"time"
)

// Log offers the log for download.
func Log(lines io.WriterTo) Section {
	return Section{
		Links: []Link{{"/app/logs", "Download the log"}},
		Actions: []Action{{http.MethodGet, "/app/logs", func(v *Visit) {
			v.Download("scim-bridge", ".log", "text/plain; charset=utf-8")
			_, _ = lines.WriteTo(v.Writer)
		}}},
	}
}

// downloadTimeout is how long a download may take.
const downloadTimeout = 10 * time.Minute
