package bundle

import "github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"

// Pseudonym returns what stands for a person or group in the bundles made beside a journal; name is an id, an
// address, a userName or the name of a group.
func Pseudonym(a journal.Archive, name string) string { return newPseudonyms(a, nil).value(name) }
