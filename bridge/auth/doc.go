// Package auth decides which bearer token is right. It owns the sealed session until a
// token opens it, passes the credentials in it to a connector, and seals the bridge again
// when they have expired.
//
// It knows no HTTP and no far side: the credentials of either kind unlock a [Connector],
// and package server answers refusals.
package auth
