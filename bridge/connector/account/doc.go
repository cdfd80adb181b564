// Package account carries the Directory port over the account API. It owns
// the sealed session once a token has opened it, the sign-in with it, the
// retries, and the heartbeat by which the account knows the bridge.
//
// It decides nothing about people and groups: package provision does that
// above it, and the account on the far side. It raises no problem itself
// either, but tells its state, from which package health makes what operators
// see.
package account
