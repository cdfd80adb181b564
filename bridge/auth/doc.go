// Package auth decides which bearer token is right. It owns the sealed session
// until a token opens it, gives the credentials in it to a connector, and seals
// the bridge again when their time is over.
//
// It knows no HTTP and no account: what the credentials unlock is a [Connector],
// and how a refusal is answered is up to package server.
package auth
