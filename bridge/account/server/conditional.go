package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// tagOf is the entity tag of a document that tells more than what a write
// changes: when a bridge was last heard, for instance. What else it tells goes
// into the tag after the version, or a client would be told that it knows what
// it does not; an If-Match looks at the version alone.
func tagOf(version int64, told any) string {
	text, err := json.Marshal(told)
	if err != nil {
		panic(err) // what is answered has a JSON form
	}
	digest := sha256.Sum256(text)
	return account.ETagWith(version, hex.EncodeToString(digest[:8]))
}
