// Package control owns the protocol of a bridge's control socket: the messages, the
// client, and the hand-over of the listening socket from one process to another.
//
// The socket is in the bridge's data folder, and every process that can write there can
// use it; it has no other access control. Package server serves it.
package control
