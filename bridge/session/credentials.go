package session

import "time"

// CredentialState is what an account has said of the credentials that a bridge
// signs in with.
type CredentialState struct {
	// Epoch is the generation in use; 0 for none.
	Epoch int64
	// Proved is the generation whose credentials the account has found right
	// and alive, even if it refused the bridge for another reason; 0 for none.
	Proved int64
	// Outdated is set while the account refuses the generation in use as one
	// that it does not know, or no more.
	Outdated bool
	// Expired is the newest generation that the account has refused because its
	// overlap is over. It stays: the account may be away a moment later, and
	// say nothing.
	Expired int64
	// Generations are those that the account accepts, as it said last; nil
	// until it said so once.
	Generations []Generation
}

// A Generation is one pair of token and credentials that an account accepts.
type Generation struct {
	Epoch int64
	// Expires is the end of its overlap; zero if none is set.
	Expires time.Time
}
