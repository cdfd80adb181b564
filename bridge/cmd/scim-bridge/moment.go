package main

import (
	"errors"
	"time"
)

// A moment is a time that can also be given as how long ago it is.
type moment time.Time

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	var ago lifetime
	if at, err := time.Parse(time.RFC3339, string(text)); err == nil {
		*m = moment(at)
	} else if err := ago.UnmarshalText(text); err == nil {
		*m = moment(time.Now().Add(-time.Duration(ago)))
	} else {
		return errors.New("expected a time, such as 2026-01-31T00:00:00Z, or how long ago it is, such as 24h or 30d")
	}
	return nil
}
