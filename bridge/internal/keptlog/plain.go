package keptlog

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// timeForm is hclog's in UTC.
const timeForm = "2006-01-02T15:04:05.000Z"

var brackets = map[hclog.Level]string{
	hclog.Trace: "[TRACE] ", hclog.Debug: "[DEBUG] ", hclog.Info: "[INFO]  ", hclog.Warn: "[WARN]  ",
	hclog.Error: "[ERROR] ",
}

// appendPlain appends a line exactly as hclog writes it, if it has only values of simple types: every request makes
// such a line, and hclog has formatted it once already. It reports false for any other line.
func appendPlain(b []byte, at time.Time, name string, level hclog.Level, msg string, args []any) ([]byte, bool) {
	bracket, known := brackets[level]
	if !known || len(args)%2 != 0 || strings.ContainsRune(msg, '\n') {
		return b, false
	}
	b = append(appendTime(b, at), ' ')
	b = append(b, bracket...)
	b = append(b, name...)
	if name != "" && msg != "" {
		b = append(b, ": "...)
	}
	b = append(b, msg...)
	if len(args) > 0 {
		b = append(b, ':')
	}
	for i := 0; i < len(args); i += 2 {
		key, ok := args[i].(string)
		if !ok {
			return b, false
		}
		b = append(b, ' ')
		b = append(b, key...)
		b = append(b, '=')
		if b, ok = appendValue(b, args[i+1]); !ok {
			return b, false
		}
	}
	return append(b, '\n'), true
}

// appendTime appends a time in UTC in timeForm, for which package time is slower than for the form that it knows.
func appendTime(b []byte, at time.Time) []byte {
	ms := at.Nanosecond() / int(time.Millisecond)
	b = bytes.TrimSuffix(at.AppendFormat(b, time.RFC3339), []byte{'Z'})
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

func appendValue(b []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v), true
	case int:
		return strconv.AppendInt(b, int64(v), 10), true
	case int64:
		return strconv.AppendInt(b, v, 10), true
	case time.Duration:
		return appendString(b, v.String())
	case netip.Addr:
		if !v.IsValid() || v.Zone() != "" {
			return appendString(b, v.String())
		}
		return v.AppendTo(b), true
	default:
		return b, false
	}
}

// appendString quotes a text with anything but the characters from - to ~. It reports false for one with characters
// that are escaped.
func appendString(b []byte, s string) ([]byte, bool) {
	quoted := s == ""
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~' || c == '"' || c == '\\':
			return b, false
		case c < '-':
			quoted = true
		}
	}
	if !quoted {
		return append(b, s...), true
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), true
}
