// Package provision owns the rules between SCIM and the account: which
// address a person is invited at, and when a member that accepted is confirmed.
//
// It asks the account through the ports of package bridge, and leaves to the
// account what only the account can decide: who may be adopted, which domains
// may sign up.
package provision
