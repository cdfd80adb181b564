// Package session owns the bearer token and the sealed session: the pair of
// which either alone is useless.
//
// A token is 256 random bits in a text form that shows typing errors. A
// session holds the Provision Manager's credentials, encrypted under a key
// made of the token, so it may lie in a file, in the account or in Terraform's
// state. During a rotation's overlap it is a bundle of two, newest first.
//
// When a token is accepted, for how long the previous one lives, and what is
// done with the credentials, is decided elsewhere.
//
// # Format
//
// One session is a compact JWE (RFC 7516) on one line: "dir", "A256GCM",
// nothing else, and no compression, through which lengths would tell about
// secrets. The protected header, which can be read by anyone and changed by no one
// unnoticed, has exactly these members, in this order, without white space:
//
//	account               the account's id
//	alg, enc              "dir", "A256GCM"
//	epoch                 the credential generation
//	fingerprint           of the token that opens the session
//	previous_epoch        of the bundle's second line, if there is one
//	previous_expires      when that line is of no use any more, in seconds since 1970
//	previous_fingerprint  of the second line
//	salt                  32 random bytes, base64url
//	typ                   "scimbridge-session"
//	version               1, or 2 if there is a previous_expires
//
// Bundles of version 1 do not say when their second line ends. They open as
// before; whether that line still counts, the account must say first.
//
// The key is HKDF-SHA256 of the token's 32 bytes with that salt and the label
// "scimbridge/session/key/v1".
package session
