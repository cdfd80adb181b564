// Package archtest holds the tests of the architecture: which package may import
// which, and that each says what it owns. It has no code of its own.
package archtest
