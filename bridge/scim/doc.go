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
//	keys of a pathless value, of a PUT and of a   takes them as paths                            Entra ID sends "name.givenName" and
//	POST are attributes (3.3, 3.5.1, 3.5.2.1)                                                    "urn:...:User:employeeNumber"
//	a pathless value has attributes (3.5.2.1)     of a group also [{"value":"id"}], which are    hand-made clients; a list of references can be
//	                                              members, and removes those too                 nothing else
//	writing a read-only attribute: mutability     passes it over within a pathless value and in  Okta renames groups with their id, others send
//	(3.5.2)                                       PUT; mutability if it is the path itself       the whole resource back
//	an unknown attribute or sub-attribute:        in a PATCH, invalidPath under a path or a URI  a misspelt path must not be a success that
//	invalidPath (3.12)                            of RFC 7643's, unless the resource has it;     nobody can read; but directories have attributes
//	                                              else, and in POST and PUT, keeps it            of their own, and a refusal loses the rest
//	URI and attribute are joined by a colon       a dot too; the enterprise extension's          Apache SCIMple and WSO2 write dots; hand-made
//	(3.10)                                        attributes need no URI                         connectors leave the URI out
//	op is add, remove or replace (3.5.2)          takes any case; names and URIs as well; no     Entra ID sends "Add"; nobody can know the order
//	                                              numbers                                        of an enumeration
//	PATCH answers 200 with the body, or 204       a group's is 204 unless attributes are named   Entra ID advises 204; the body would list all
//	(3.5.2)                                       or preferred (Prefer: return=representation);  members of the group
//	                                              a person's is 200
//	ServiceProviderConfig has "pagination"        has it for ?attributes=pagination              clients that forbid unknown keys refuse the
//	(9865, 4)                                                                                    whole document otherwise
//	booleans are true and false (7643, 2.3.2)     "True" and "False" in bodies and filters too,  Entra ID without its compatibility flag;
//	                                              0, 1, "yes" and "no"                           databases without booleans
//	texts are no numbers (7643, 2.3.1)            takes a number as it was written               HR systems have numeric ids
//	an attribute has one value or a list          [x], {"value":x} and [{"$ref":null,"value":x}] Microsoft's SCIM library
//	(7643, 2.4)                                   are x where one value is due
//	an empty object is an object                  "" and [] are one too                          PHP encodes it as []
//	manager is complex (4.3)                      a bare id or a list of one too; answers with   Entra ID sends both
//	                                              the complex form
//	a multi-valued attribute is a list (2.4)      one value without its list too                 hand-made connectors
//	the value at the path members is members      an object of members too                       clients made for Salesforce
//	two primary values are an error (2.4)         the first stays primary; by PATCH, the newest  PingOne sends the same address twice
//	messages name their schema (7644, 3.5.2, 3.7)  need not; nor needs a bulk POST its bulkId     hand-made connectors leave them out
//	values are the client's                       keeps userName, e-mail values and group names  exports of HR systems pad their columns; " ann"
//	                                              without the blanks around them, and compares   and "ann" must not become two people
//	                                              so in filters
//	employeeNumber eq 5 compares unlike types     compares it as text                            clients forget quotes where values are digits
//	schemas lists known URIs and is required      takes any, or none; keeps the unknown ones     Entra ID names extensions without sending them
//	(3)                                           sent, and lists the known ones that are there
//	texts in filters stand in quotes (7644,       takes words without them too                   WSO2 Identity Server knows no other way, and RFC
//	3.4.2.2)                                                                                     9865 has such examples
//	emails[...].value eq "x" is no filter         means emails[... and value eq "x"]; so does    Entra ID's documented matching filters
//	(7644, 3.4.2.2)                               emails[...] eq "x"
//	strings in filters are JSON's (7644, 3.4.2.2) a backslash that begins no escape is one, also DOMAIN\name as userName; OData clients
//	                                              before b, f, n, r and t but in postal
//	                                              addresses; single quotes are quotes
//	times in filters are xsd:dateTime (7643,      UTC without a zone; zones without a colon,     clients that format times themselves
//	2.3.5)                                        times without seconds, dates too
//	a query is percent-encoded (7644, 3.4.2)      + is a blank if the first blank is written so, Apache Syncope and PowerShell leave + as it is;
//	                                              and else a plus sign; ; is itself, and & too   groups are called R&D
//	                                              in a string of a filter
//	PUT without members may clear them or keep    clears them                                    pocket-id and a Keycloak extension leave the key
//	them (3.5.1)                                                                                 out with the last member, who must not stay; one
//	                                                                                             connector of midPoint renames so, and is refilled
//	                                                                                             when it reconciles
//	PUT without active may clear it (3.5.1), and  keep it                                        an update of a name must not reactivate a
//	PATCH may remove it (3.5.2.2)                                                                person whom another request has suspended
//	an unknown member is an error                 joins the others, and the id is a problem on   Okta takes 400 as final and loses the push
//	                                              the status page; refuses a whole list in
//	                                              which nobody is known, [{}] and "" included
//	a member is named by its id (7643, 4.2)       or by its address as $ref alone; as a value    clients copy $ref; ids are compared exactly
//	                                              an address is nobody's id, and so is an id in  (7643, 3.1)
//	                                              another case
//	an endpoint that does not exist: 404 (3.12)   400 if the path was meant for a user or group  a 404 makes clients create the resource again
//	paths are exact                               ignores case and surplus slashes there         the same
//	attributes and excludedAttributes exclude     takes the first without the second             nothing is gained by refusing
//	each other (3.9)
//	passwords can be set (7643, 4.1.1)            accepts and forgets them                       the account never learns anybody's password
//	core attributes stand at the top (7643, 3.3)  or under the URI of their schema                clients that treat all schemas alike
//	attributes names attributes (7644, 3.9)       passes over a filter in brackets there         clients of Microsoft's reference code
//	unassigned attributes are left out (2.5)      but members, where they were read              clients compare the list
package scim
