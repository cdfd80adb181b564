// Package functions holds the provider's functions: diagnose, cidr_contains
// and session_fingerprint. They are pure, and need no configured provider.
package functions
