//go:build !linux && !darwin && !freebsd

package store

// freeBytes reports that it is not known how much can be written.
func freeBytes(string) (free int64, known bool) { return 0, false }
