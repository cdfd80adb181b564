// Package scimurl owns what the base address of a SCIM server may be, for those
// who seal one into a session, configure one, and call one.
package scimurl

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// maxLength is in bytes. An address is in the readable header of a session.
const maxLength = 1000

// Parse checks the base address of a SCIM server and returns it in one form: scheme and
// host in lower case, no slash at the end, as in "https://scim.example.com/scim/v2". Plain
// HTTP is for loopback addresses, since a token travels with every request. The error does
// not quote an address that may have a secret in it.
func Parse(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("this is not the address of a SCIM server: write it as https://scim.example.com/scim/v2")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return "", errors.New("the address must not have a user, a query or a fragment: the token is given apart " +
			"from it, and requests add queries of their own")
	case len(text) > maxLength:
		return "", fmt.Errorf("the address has %d bytes; at most %d are allowed", len(text), maxLength)
	}
	u.Host = strings.ToLower(u.Host)
	clean := strings.TrimRight(u.String(), "/")
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return "", fmt.Errorf("the address %q is not safe: use https (plain http is for loopback addresses)", clean)
	}
	return clean, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
