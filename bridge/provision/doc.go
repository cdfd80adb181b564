// Package provision owns the rules between SCIM and the account: the address at which a
// person is invited, and when a member that accepted is confirmed.
//
// It calls the account through the interfaces of package bridge, and leaves to the account
// which members are adopted and which domains are allowed for sign-up.
package provision
