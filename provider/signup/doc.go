// Package signup manages the domains under which people may sign up by
// themselves, and confirm a new address: each alone, scimbridge_signup_domain,
// or the whole list, scimbridge_signup_domains.
package signup
