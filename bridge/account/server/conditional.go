package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// tagOf returns the entity tag of a document that has more than the versioned
// values, the last contact of a bridge for instance. The rest goes into the tag after
// the version, or a conditional GET would miss its changes. If-Match compares only
// the version.
func tagOf(version int64, told any) string {
	text, err := json.Marshal(told)
	if err != nil {
		panic(err) // answers always have a JSON form
	}
	digest := sha256.Sum256(text)
	return account.ETagWith(version, hex.EncodeToString(digest[:8]))
}
