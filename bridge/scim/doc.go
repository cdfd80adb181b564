// Package scim owns SCIM 2.0 over HTTP (RFC 7643, RFC 7644, cursors of RFC
// 9865): it decodes a request, translates it with the help of its pure
// sub-packages schema, filter and patch, asks a [bridge.Directory], and
// answers. It keeps nothing: every answer is the directory's.
//
// It leaves to others: the bearer check, the log line of each request and the
// metrics stand before its handler; who is invited at which address is decided
// by package provision; what is unique, protected or too large, by the account.
//
// # Where the RFCs and the identity providers disagree
//
// Both are followed exactly where they agree. Where they do not, the identity
// provider's habit wins, since it cannot read documentation; and where a habit
// and safety disagree, nothing is lost in silence.
//
//	the RFC says                                  the bridge does                                because
//	PATCH replace on an element that a filter     creates it from the filter, type included;     Entra ID fills elements part by part with
//	does not find: noTarget (7644, 3.5.2.3)       noTarget only if the filter does not tell how  Replace, and takes an error as final
//	PATCH remove ignores a value (3.5.2.2)        removes only the values listed; without a      Entra ID and OneLogin remove members so; the
//	                                              list, all                                      RFC's reading would empty the group
//	PATCH remove of what a filter does not find:  succeeds                                       everything is retried
//	noTarget (3.12)
//	keys of a pathless value are attributes       takes them as paths                            Entra ID sends "name.givenName" and
//	(3.5.2.1)                                                                                    "urn:...:User:employeeNumber"
//	writing a read-only attribute: mutability     passes it over within a pathless value and in  Okta renames groups with their id, others send
//	(3.5.2)                                       PUT; mutability if it is the path itself       the whole resource back
//	an unknown attribute or sub-attribute in a    keeps it and returns it                        directories have attributes of their own; a
//	path: invalidPath (3.12)                                                                     refused PATCH loses the rest of it too
//	op is add, remove or replace (3.5.2)          takes any case; names and URIs as well         Entra ID sends "Add"
//	PATCH answers 200 with the body, or 204       a group's is 204 unless attributes are named;  Entra ID advises 204; the body would list all
//	(3.5.2)                                       a person's is 200                              members of the group
//	booleans are true and false (7643, 2.3.2)     "True" and "False" in bodies and filters too   Entra ID without its compatibility flag
//	manager is complex (4.3)                      a bare id or a list of one too; answers with   Entra ID sends both
//	                                              the complex form
//	a multi-valued attribute is a list (2.4)      one value without its list too                 hand-made connectors
//	the value at the path members is members      an object of members too                       clients made for Salesforce
//	two primary values are an error (2.4)         the first stays primary; by PATCH, the newest  PingOne sends the same address twice
//	messages name their schema (7644, 3.5.2, 3.7)  need not; nor needs a bulk POST its bulkId     hand-made connectors leave them out
//	employeeNumber eq 5 compares unlike types     compares it as text                            clients forget quotes where values are digits
//	schemas lists known URIs and is required      takes any, or none, and keeps those sent       Entra ID names extensions without sending them
//	(3)
//	texts in filters stand in quotes (7644,       takes words without them too                   WSO2 Identity Server knows no other way, and RFC
//	3.4.2.2)                                                                                     9865 has such examples
//	emails[...].value eq "x" is no filter         means emails[... and value eq "x"]             Entra ID's documented matching filter
//	(7644, 3.4.2.2)
//	PUT without members may clear them or keep    clears them                                    pocket-id and a Keycloak extension leave the key
//	them (3.5.1)                                                                                 out with the last member, who must not stay; one
//	                                                                                             connector of midPoint renames so, and is refilled
//	                                                                                             when it reconciles
//	PUT without active may clear it (3.5.1), and  keep it                                        who only updates a name must not let in whom
//	PATCH may remove it (3.5.2.2)                                                                another request has suspended
//	an unknown member is an error                 joins the others, and the id is a problem on   Okta takes 400 as final and loses the push
//	                                              the status page; refuses a whole list in
//	                                              which nobody is known, [{}] and "" included
//	a member is named by its id (7643, 4.2)       or by its address, as value or $ref; an id in  clients copy meta.location; ids are compared
//	                                              another case is another id                     exactly (7643, 3.1)
//	an endpoint that does not exist: 404 (3.12)   400 if the path was meant for a user or group  a 404 makes clients create the resource again
//	paths are exact                               ignores case and surplus slashes there         the same
//	attributes and excludedAttributes exclude     takes the first without the second             nothing is gained by refusing
//	each other (3.9)
//	passwords can be set (7643, 4.1.1)            accepts and forgets them                       the account never learns anybody's password
//	core attributes stand at the top (7643, 3.3)  or under the URI of their schema                clients that treat all schemas alike
//	attributes names attributes (7644, 3.9)       passes over a filter in brackets there         clients of Microsoft's reference code
//	unassigned attributes are left out (2.5)      but members, where they were read              clients compare the list
package scim
