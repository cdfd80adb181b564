// Package audit is the chain of audit events: what the hash of an event covers, the
// lines of an export, and what is found when the events of either are verified. It
// knows no database and no account.
//
// Each event's hash covers the event before it, so that an event cannot be changed,
// removed, inserted or moved without a trace, unless all hashes after it are computed
// anew. Against that, an operator notes a hash elsewhere from time to time: an export
// is such a note, and a [Link] is the shortest one.
package audit
