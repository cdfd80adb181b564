// Package journal keeps what happened to a bridge lately: what the identity provider asked to be changed and what
// came of it, problems, sign-ins, hand-overs. It answers what happened to a person, or at a time.
//
// The journal is not the truth, which lies with the account, and nothing depends on it: a bridge works the same
// without one. It is bounded in bytes and in days, and outlives the process; package linestore says how.
//
// People and groups are in it by their ids alone: it has no name, no e-mail address, no network address, no secret
// and nothing that a client may have made up. What came of a request is recorded once the request has shown the
// bearer token; a client without one writes nothing here. A person's userName is recorded as a digest under a key
// that is kept beside the journal, by which a question about an address finds what was refused before the person had
// an id.
//
// Reads are not recorded singly. They are counted by the minute, and for each person.
package journal
