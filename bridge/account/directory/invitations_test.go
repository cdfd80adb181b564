package directory

import "testing"

// A name from an identity provider is greeted in a mail, and writes nothing else into it.
func TestANameWritesNothingElseIntoAMail(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ann":                              "Hello Ann",
		"":                                 "Hello",
		"\u202e\u2066":                     "Hello",
		"Ann\r\n\r\nOpen http://evil.test": "Hello Ann    Open http://evil.test",
		"\x1b[2JAnn\u202emoc":              "Hello [2JAnnmoc",
	} {
		if got := hello(name); got != want {
			t.Errorf("%q is greeted %q, want %q", name, got, want)
		}
	}
}
