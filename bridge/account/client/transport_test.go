package client

import "testing"

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, url string
		ok        bool
	}{
		{"https anywhere", "https://account.example.com", true},
		{"http on this machine", "http://127.0.0.1:8600", true},
		{"http on this machine by name", "http://localhost:8600", true},
		{"http on this machine, IPv6", "http://[::1]:8600", true},
		{"http elsewhere", "http://account.example.com", false},
		{"a name that only begins like loopback", "http://127.0.0.1.example.com", false},
		{"a password in the address", "https://user:pw@account.example.com", false},
		{"no scheme", "account.example.com", false},
		{"nothing", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := CheckURL(row.url); (err == nil) != row.ok {
				t.Errorf("CheckURL(%q) = %v", row.url, err)
			}
		})
	}
}
