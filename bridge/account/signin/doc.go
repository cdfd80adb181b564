// Package signin proves to an account that a Provision Manager's secrets are
// known without telling them: a two-secret key derivation and SRP-6a, both
// the client's and the server's side.
//
// Enrolment, once:
//
//	client                              server
//	Enrol → KDF, verifier       ──────► stores both
//
// Sign-in:
//
//	client                              server
//	NewClient → A               ──────► NewServer (or one with FalseKDF)
//	                            ◄────── handshake id, KDF, B
//	Prove → client's proof      ──────► Finish: checks it first
//	VerifyServer                ◄────── server's proof
//
// The verifier that the server keeps is like a password hash, but of a
// password with 160 random bits in it, the Secret Key, which the server never
// saw: guessing the Master Password alone gains nothing. The two-secret key
// derivation follows 1Password's security white paper; the arithmetic up to
// the common key is that of github.com/1Password/srp in RFC 5054's 4096-bit
// group. The proofs are our own, see proofs.
//
// Where handshakes are kept, how long they live, that the first finish
// consumes them, and what an account says to a stranger, is decided by the
// account.
package signin
