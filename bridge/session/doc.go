// Package session owns the bearer token and the sealed session, which are useful only
// together.
//
// A token is 256 random bits in a text form with a checksum. A
// session has the Provision Manager's credentials, encrypted under a key derived from
// the token, so it can be stored in a file, in the account or in Terraform's state.
// During the overlap of a rotation it is a bundle of two, newest first.
//
// Package auth decides when a token is accepted and for how long the previous one is
// valid.
//
// # Format
//
// One session is a compact JWE (RFC 7516) on one line: "dir", "A256GCM",
// nothing else, and no compression, which would reveal secrets through lengths. The
// protected header is readable and authenticated. It has exactly these members, in
// this order, without white space:
//
//	account               the account's id
//	alg, enc              "dir", "A256GCM"
//	epoch                 the credential generation
//	fingerprint           of the token that opens the session
//	previous_epoch        of the bundle's second line, if there is one
//	previous_expires      when that line expires, in seconds since 1970
//	previous_fingerprint  of the second line
//	salt                  32 random bytes, base64url
//	typ                   "scimbridge-session"
//	version               1, or 2 if there is a previous_expires
//
// Bundles of version 1 do not have the expiry of their second line. Before that line is
// used, the account must report whether it is still valid.
//
// The key is HKDF-SHA256 of the token's 32 bytes with that salt and the label
// "scimbridge/session/key/v1".
package session
