package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/DeRuina/timberjack"
	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logwriter"
)

// logFile is a flag of the serving commands. Rotated files have the time in their names; the latest three are kept.
type logFile struct {
	LogFile string `type:"path" placeholder:"FILE" help:"Log file, rotated at 16 MiB, instead of standard error."`
}

const (
	logFileMegabytes = 16
	logFilesKept     = 3
)

// openLog returns the log's writer: the file, or w. What is not logged, such as
// a crash, goes to standard error in either case.
func (l logFile) openLog(w io.Writer) (io.Writer, func() error, error) {
	if l.LogFile == "" {
		return w, func() error { return nil }, nil
	}
	// The first line would create the file. Created now, a failure can still be
	// reported on standard error.
	f, err := os.OpenFile(l.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, nil,
			fmt.Errorf("--log-file: the log cannot be written: %w: name a file in an existing folder that "+
				"this user can write to", durable.Reason(err))
	}
	rotating := &timberjack.Logger{
		Filename: l.LogFile, FileMode: 0o600, MaxSize: logFileMegabytes, MaxBackups: logFilesKept, Compression: "none",
	}
	return rotating, rotating.Close, nil
}

// The log that the status page offers for download: some thirty thousand lines.
const (
	keptLogFolder = "log" // in the data folder
	keptLogBytes  = 8 << 20
	keptLogAge    = 30 * 24 * time.Hour
	keptLogBuffer = 2 << 20 // while it cannot be written
)

// keptIn returns the data folder, or "" for a bridge that keeps nothing there.
func keptIn(dataDir string, without bool) string {
	if without {
		return ""
	}
	return dataDir
}

// newLogger logs to w at the given level, and to files in the data folder at debug level or lower. The caller closes
// both by the function that is returned.
func newLogger(w io.Writer, level, format, dataDir string) (
	logger hclog.InterceptLogger, kept *keptlog.Log, closeBoth func(),
) {
	shown, out := hclog.LevelFromString(level), logwriter.New(w, httpkit.RequestAnswered)
	options := &hclog.LoggerOptions{
		Name:   "scim-bridge",
		Level:  shown,
		Output: out,
		TimeFn: func() time.Time { return time.Now().UTC() },
		// A sink writes instead: hclog's writing costs more than that of our few kinds of values.
		Exclude: func(hclog.Level, string, ...any) bool { return format != "pretty" },
	}
	if format == "pretty" {
		options.Color = hclog.ForceColor
		if os.Getenv("NO_COLOR") != "" {
			options.Color = hclog.ColorOff
		}
		options.ColorHeaderAndFields = true
	}
	folder := ""
	if dataDir != "" { // otherwise it is kept in memory
		folder = filepath.Join(dataDir, keptLogFolder)
	}
	kept = keptlog.Open(keptlog.Config{
		Folder: folder, MaxBytes: keptLogBytes, MaxAge: keptLogAge, Buffer: keptLogBuffer,
	})
	from := min(shown, hclog.Debug)
	logger = hclog.NewInterceptLogger(options)
	switch format {
	case "text": // the form in which lines are kept
		logger.RegisterSink(kept.SinkShowing(from, shown, out))
	case "json":
		logger.RegisterSink(&jsonLog{w: out, from: shown, now: options.TimeFn})
		fallthrough
	default:
		logger.RegisterSink(kept.Sink(from))
	}
	return logger, kept, func() {
		out.Close()
		_ = kept.Close() // Fault has told why
	}
}

// A jsonLog writes JSON lines with the keys of the vendor's bridge (time, level,
// message), which log pipelines of existing deployments expect. hclog's own JSON
// has other keys.
type jsonLog struct {
	from hclog.Level
	now  func() time.Time

	mu   sync.Mutex
	w    *logwriter.Writer
	line []byte
}

// Accept implements hclog.SinkAdapter.
func (j *jsonLog) Accept(name string, level hclog.Level, msg string, args ...any) {
	if level < j.from {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.now().AppendFormat(append(j.line[:0], `{"time":"`...), time.RFC3339Nano)
	b = append(b, '"')
	member := func(key string, value any) {
		b = appendJSON(append(b, ','), key)
		b = appendJSON(append(b, ':'), value)
	}
	member("level", level.String())
	member("logger", name)
	member("message", msg)
	for i := 0; i+1 < len(args); i += 2 {
		key, isText := args[i].(string)
		if !isText {
			key = fmt.Sprint(args[i])
		}
		switch key {
		case "time", "level", "logger", "message": // readers differ in which of two equal keys they use
			key += "_"
		}
		member(key, args[i+1])
	}
	j.line = append(b, "}\n"...)
	j.w.WriteLine(level, msg, j.line)
}

// appendJSON appends a value. Those that each request's line has need no encoder.
func appendJSON(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		if !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			return append(append(append(b, '"'), v...), '"')
		}
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case netip.Addr:
		if v.IsValid() {
			return appendJSON(b, v.String())
		}
	}
	return append(b, toJSON(value)...)
}

// toJSON encodes a value: errors and durations as text, and what JSON cannot
// represent as fmt prints it.
func toJSON(value any) []byte {
	switch v := value.(type) {
	case error:
		value = v.Error()
	case time.Duration:
		value = v.String()
	case hclog.Format:
		value = fmt.Sprintf(fmt.Sprint(v[0]), v[1:]...)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		b.Reset()
		_ = e.Encode(fmt.Sprint(value)) // a text, which cannot fail
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
