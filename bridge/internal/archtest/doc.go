// Package archtest holds the tests of the house itself: who may import whom,
// and that every room says what it owns. It has no code of its own.
package archtest
