// Package patch owns the PATCH operations of RFC 7644 section 3.5.2: reading
// them, applying them to a resource, and reducing what they say of a group's
// members to the members that join and leave, so that changing one
// member of a large group does not read all of them.
//
// It is pure. A resource comes and goes in the canonical form of
// [schema.Resource.Normalize]; a PATCH applies whole or not at all. Where
// identity providers and the RFC disagree, the table in package scim decides.
package patch
