// Package control owns the conversation over a bridge's control socket: the
// messages, the client, and the way in which one process hands its listening
// socket to another.
//
// The socket lies in the bridge's data folder and lets in every process that may write
// there; that is its only lock. What a bridge answers is decided by package
// server, which serves the other end.
package control
