// Package directory is the resource scimbridge_directory: the sealed session of a bridge
// that stands before a SCIM server. It calls nobody, and needs no account.
package directory
