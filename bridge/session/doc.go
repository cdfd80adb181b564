// Package session owns the bearer token and the sealed session, which are useful only
// together.
//
// A token is 256 random bits in a text form with a checksum. A session has the
// credentials for the far side, encrypted under a key derived from the token, so it can
// be stored in a file, in the account or in Terraform's state. They are of one of two
// kinds: an integration's, with which a bridge signs in to an account, or a directory's,
// the token of any SCIM 2.0 server. During the overlap of a rotation the session is a
// bundle of two of the same far side, newest first.
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
//	account               the account's id, of an integration
//	alg, enc              "dir", "A256GCM"
//	directory             the base address, of a directory
//	epoch                 the credential generation; a directory's is the time of sealing,
//	                      in seconds since 1970, or one more than the one before
//	fingerprint           of the token that opens the session
//	previous_epoch        of the bundle's second line, if there is one
//	previous_expires      when that line expires, in seconds since 1970
//	previous_fingerprint  of the second line
//	salt                  32 random bytes, base64url
//	typ                   "scimbridge-session"
//	version               1, or 2 if there is a previous_expires; 3 of a directory
//
// Bundles of version 1 do not have the expiry of their second line. Before that line is
// used, the account must report whether it is still valid. Those of version 3 always have
// it, since a directory knows nothing of our tokens. Programs that do not know version 3
// refuse it, and say that they must be updated.
//
// The key is HKDF-SHA256 of the token's 32 bytes with that salt and the label
// "scimbridge/session/key/v1". The plaintext is a JSON object: account_url, account_id,
// email, master_password and secret_key of an integration, token of a directory.
package session
