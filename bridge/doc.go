// Package bridge owns the words that the rooms below it share: a Person, a
// Group, the Directory they live in and the ways in which it refuses.
//
// It knows no HTTP, no SQL, no SCIM syntax and no Terraform, and imports the
// standard library only. A second kind of account on the far side is another
// Directory.
package bridge
