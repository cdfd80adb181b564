// Package schema owns what SCIM says of attributes: the definitions of users,
// groups and the enterprise extension (RFC 7643), attribute notation
// (RFC 7644 section 3.10), the canonical form in which a resource is kept,
// and which attributes an answer shows.
//
// It is pure: no HTTP, no filters, no operations. Resources are what
// encoding/json makes of an object with UseNumber.
package schema
