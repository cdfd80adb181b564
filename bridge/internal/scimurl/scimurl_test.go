package scimurl

import (
	"net/url"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	const user, notSafe, none = "must not have a user", "is not safe", "not the address of a SCIM server"
	for _, row := range []struct{ name, text, want, fault string }{
		{"a base address", "https://scim.example.com/scim/v2", "https://scim.example.com/scim/v2", ""},
		{"a slash at its end", "https://scim.example.com/scim/v2/", "https://scim.example.com/scim/v2", ""},
		{"a host alone", "https://scim.example.com/", "https://scim.example.com", ""},
		{"capitals", "HTTPS://SCIM.Example.com/SCIM", "https://scim.example.com/SCIM", ""},
		{"blanks around", " https://scim.example.com\n", "https://scim.example.com", ""},
		{"a port", "https://scim.example.com:8443/scim", "https://scim.example.com:8443/scim", ""},
		{"an ampersand in the path", "https://scim.example.com/a&b<c>", "https://scim.example.com/a&b%3Cc%3E", ""},
		{"plain http on loopback", "http://127.0.0.1:3002/scim", "http://127.0.0.1:3002/scim", ""},
		{"plain http on loopback of IPv6", "http://[::1]:3002", "http://[::1]:3002", ""},
		{"plain http by name", "http://localhost:3002", "http://localhost:3002", ""},
		{"plain http elsewhere", "http://scim.example.com", "", notSafe},
		{"a name that only begins like loopback", "http://localhost.example.com", "", notSafe},
		{"a user", "https://hunter2@scim.example.com", "", user},
		{"a user and a password", "https://user:hunter2@scim.example.com", "", user},
		{"a query", "https://scim.example.com/?token=hunter2", "", user},
		{"an empty query", "https://scim.example.com/?", "", user},
		{"a fragment", "https://scim.example.com/#hunter2", "", user},
		{"an empty fragment", "https://scim.example.com/#", "", user},
		{"no scheme", "scim.example.com/hunter2", "", none},
		{"another scheme", "ftp://scim.example.com/hunter2", "", none},
		{"no host", "https:///hunter2", "", none},
		{"an opaque address", "https:hunter2", "", none},
		{"nothing", "", "", none},
		{"more than a header may hold", "https://scim.example.com/" + strings.Repeat("a", 1000), "", "at most 1000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(row.text)
			if row.fault == "" {
				if err != nil || got != row.want {
					t.Errorf("got %q and %v, want %q", got, err, row.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.fault) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q and %v, want an error with %q", got, err, row.fault)
			}
		})
	}
}

// An address that is accepted stays as it is when it is read again, has nothing that
// could be a secret beside the path, and is safe.
func FuzzParse(f *testing.F) {
	f.Add("HTTPS://SCIM.example.com:443/scim/v2//")
	f.Add("http://[::1]:80/%2F/../ä")
	f.Add("https://user:password@scim.example.com/?a#b")
	f.Fuzz(func(t *testing.T, text string) {
		clean, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(clean); err != nil || again != clean {
			t.Fatalf("%q is read again as %q: %v", clean, again, err)
		}
		u, err := url.Parse(clean)
		if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
			u.Scheme != "https" && !isLoopback(u.Hostname()) {
			t.Fatalf("%q was accepted: %v", clean, err)
		}
	})
}
