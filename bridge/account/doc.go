// Package account owns the rules of a business account: its members and
// groups, what provisioning may do to them, its firewall, sign-up domains,
// integration and sign-in.
//
// It knows no HTTP (package server puts it on the network) and leaves rows
// and transactions to package store, the evaluation of firewall rules to
// package firewall, and the arithmetic of signing in to package signin.
package account
