// Package filter owns SCIM's filter language (RFC 7644 section 3.4.2.2) and
// the paths of PATCH (section 3.5.2), which contain filters: parsing,
// printing, turning a filter into a [bridge.Predicate] with the help of the
// schemas, and evaluating a predicate on decoded JSON.
//
// Two habits outside the grammar are understood: Entra ID's
// emails[type eq "work"].value eq "x", which means
// emails[type eq "work" and value eq "x"], and the strings "True" and "False"
// where an attribute is boolean. Which attributes exist is for package schema
// to say; what is done at a path is for package patch.
package filter
