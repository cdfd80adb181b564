// Package directory owns the people and groups of an account: what
// provisioning may do to them, the members and groups that administrators
// manage beside it, searches, and the sign-in addresses that members hold,
// move to, sign up with and are invited to.
//
// It leaves the account's clock, audit log, outbox and refusals to package
// account, which imports nothing of it, and rows to package store.
package directory
