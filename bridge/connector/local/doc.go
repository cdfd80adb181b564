// Package local is a Directory over an account in the same process: its Go methods, without HTTP between.
//
// It owns what a request and its answer look like on either side. Who is admitted, what is recorded and what is counted
// is the account's server's; signing in, and whatever does not plainly succeed, is left to the connector over HTTP.
package local
