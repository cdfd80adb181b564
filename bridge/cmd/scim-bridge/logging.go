package main

import (
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logring"
)

// ringSize is what the status page offers for download: some ten thousand
// lines.
const ringSize = 2 << 20

// newLogger logs to w, and at debug level or lower to a ring in memory,
// whatever w shows.
func newLogger(w io.Writer, level, format string) (hclog.InterceptLogger, *logring.Ring) {
	shown := hclog.LevelFromString(level)
	options := &hclog.LoggerOptions{
		Name:       "scim-bridge",
		Level:      shown,
		Output:     w,
		JSONFormat: format == "json",
		TimeFn:     func() time.Time { return time.Now().UTC() },
	}
	if format == "pretty" {
		options.Color = hclog.ForceColor
		options.ColorHeaderAndFields = true
	}
	logger := hclog.NewInterceptLogger(options)
	ring := logring.New(ringSize)
	logger.RegisterSink(ring.Sink(min(shown, hclog.Debug)))
	return logger, ring
}
