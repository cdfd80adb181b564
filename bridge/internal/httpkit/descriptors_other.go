//go:build !unix

package httpkit

// openFilesLimit is how many files this process may have open; 0 for no limit.
func openFilesLimit() int { return 0 }
