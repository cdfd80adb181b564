// Package account owns the rules of a business account: its provisioning
// integration, sign-in, tokens, bridges, firewall and policies, the audit log, and
// the outbox. People and groups are in package directory, which imports this one.
//
// It serves no HTTP (package server does) and leaves rows and transactions to
// package store, the evaluation of firewall rules to package firewall, and the
// arithmetic of signing in to package signin.
package account
