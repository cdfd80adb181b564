// Package signup manages the domains that are allowed for sign-up and for address
// changes: single ones (scimbridge_signup_domain) or the whole list
// (scimbridge_signup_domains).
package signup
