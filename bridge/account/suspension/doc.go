// Package suspension has the limit on how much access provisioning may take away
// within a time. It is pure: the account enforces the limit, and the provider
// checks its text when planning.
package suspension
