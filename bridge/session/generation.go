package session

import "time"

// CredentialState is what an account has reported about a bridge's credentials.
type CredentialState struct {
	// Epoch is the generation in use; 0 for none.
	Epoch int64
	// Proved is the generation whose credentials the account has accepted as valid, even
	// if it refused the bridge for another reason; 0 for none.
	Proved int64
	// Outdated is set while the account refuses the generation in use as unknown.
	Outdated bool
	// Expired is the newest generation that the account has refused because its overlap
	// has ended. It is kept, since the account may be unreachable later.
	Expired int64
	// Generations are those that the account accepted according to its last answer; nil
	// before the first.
	Generations []Generation
}

// A Generation is one pair of token and credentials that an account accepts.
type Generation struct {
	Epoch int64
	// Expires is the end of its overlap; zero if none is set.
	Expires time.Time
}
