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
//	the RFC says                          the bridge does                          because
//	PATCH replace on an element that a    creates it from the filter, type         Entra ID fills elements in parts
//	filter does not find: noTarget        included; noTarget only if the filter    with Replace, and takes an error as
//	(7644, 3.5.2.3)                       does not tell how                        final
//	PATCH remove ignores a value          removes only the values listed; without  Entra ID and OneLogin remove
//	(3.5.2.2)                             a list, all                              members so; the RFC's reading would
//	                                                                               empty the group
//	PATCH remove of what a filter does    succeeds                                 everything is retried
//	not find: noTarget (3.12)
//	keys of a pathless value, of a PUT    takes them as paths                      Entra ID sends "name.givenName" and
//	and of a POST are attributes (3.3,                                             "urn:...:User:employeeNumber"
//	3.5.1, 3.5.2.1)
//	a pathless value has attributes       of a group also [{"value":"id"}], which  hand-made clients; a list of
//	(3.5.2.1)                             are members, and removes those too       references can be nothing else
//	writing a read-only attribute:        passes it over within a pathless value   Okta renames groups with their id,
//	mutability (3.5.2)                    and in PUT; mutability if it is the      others send the whole resource back
//	                                      path itself
//	an unknown attribute or               in a PATCH, invalidPath under a path or  a misspelt path must not seem right
//	sub-attribute: invalidPath (3.12)     a URI of RFC 7643's, unless the          and be lost; but directories
//	                                      resource has it; else, and in POST and   have attributes of their own, and a
//	                                      PUT, keeps it                            refusal loses the rest
//	URI and attribute are joined by a     a dot too; the enterprise extension's    Apache SCIMple and WSO2 write dots;
//	colon (3.10)                          attributes need no URI                   hand-made connectors omit the URI
//	op is add, remove or replace (3.5.2)  takes any case; names and URIs as well;  Entra ID sends "Add"; nothing tells
//	                                      no numbers                               the order of an enumeration
//	PATCH answers 200 with the body, or   a group's is 204 unless attributes are   Entra ID wants 204; the body would
//	204 (3.5.2)                           named or preferred (Prefer:              list all members of the group
//	                                      return=representation); a person's is
//	                                      200
//	ServiceProviderConfig has             has it for ?attributes=pagination        clients that forbid unknown keys
//	"pagination" (9865, 4)                                                         refuse the whole document otherwise
//	booleans are true and false (7643,    "True" and "False" in bodies and         Entra ID without its compatibility
//	2.3.2)                                filters too, 0, 1, "yes" and "no"        flag; databases without booleans
//	texts are no numbers (7643, 2.3.1)    takes a number as it was written         HR systems have numeric ids
//	an attribute has one value or a list  [x], {"value":x} and                     Microsoft's SCIM library
//	(7643, 2.4)                           [{"$ref":null,"value":x}] are x where
//	                                      one value is due
//	an empty object is an object          "" and [] are one too                    PHP encodes it as []
//	manager is complex (4.3)              a bare id or a list of one too; answers  Entra ID sends both
//	                                      with the complex form
//	a multi-valued attribute is a list    one value without its list too           hand-made connectors
//	(2.4)
//	the value at the path members is      an object of members too                 clients made for Salesforce
//	members
//	two primary values are an error       the first stays primary; by PATCH, the   PingOne sends one address twice
//	(2.4)                                 newest
//	messages name their schema (7644,     need not; nor needs a bulk POST its      hand-made connectors leave them out
//	3.5.2, 3.7)                           bulkId
//	values are the client's               keeps userName, e-mail values and group  exports of HR systems pad their
//	                                      names without the blanks around them,    columns; " ann" and "ann" must not
//	                                      and compares so in filters               become two people
//	employeeNumber eq 5 compares unlike   compares it as text                      clients forget quotes if values are
//	types                                                                          digits
//	schemas lists known URIs and is       takes any, or none; keeps the unknown    Entra ID names extensions without
//	required (3)                          ones sent, and lists the known ones      sending them
//	                                      that are there
//	texts in filters stand in quotes      takes words without them too             WSO2 Identity Server knows no other
//	(7644, 3.4.2.2)                                                                way, and RFC 9865 has such examples
//	emails[...].value eq "x" is no        means emails[... and value eq "x"]; so   Entra ID documents such filters
//	filter (7644, 3.4.2.2)                does emails[...] eq "x"
//	strings in filters are JSON's (7644,  a backslash that begins no escape is     DOMAIN\name as userName; OData
//	3.4.2.2)                              one, also before b, f, n, r and t but
//	                                      in postal addresses; single quotes are
//	                                      quotes
//	times in filters are xsd:dateTime     UTC without a zone; zones without a      clients with time formats of theirs
//	(7643, 2.3.5)                         colon, times without seconds, dates too
//	a query is percent-encoded (7644,     + is a blank if the first blank is       Apache Syncope and PowerShell keep
//	3.4.2)                                written so, and else a plus sign; ; is   + as it is; groups are called R&D
//	                                      itself, and & too in a string of a
//	                                      filter
//	PUT without members may clear them    clears them                              pocket-id and a Keycloak extension
//	or keep them (3.5.1)                                                           leave the key out with the last
//	                                                                               member, who must not stay; one
//	                                                                               midPoint connector renames so, and
//	                                                                               is refilled when it reconciles
//	PUT without active may clear it       keep it                                  an update of a name must not
//	(3.5.1), and PATCH may remove it                                               reactivate a person that another
//	(3.5.2.2)                                                                      request has suspended
//	an unknown member is an error         joins the others, and the id is a        Okta takes 400 as final, losing the
//	                                      problem on the status page; refuses a    push
//	                                      whole list in which nobody is known,
//	                                      [{}] and "" included
//	a member is named by its id (7643,    or by its address as $ref alone; as a    clients copy $ref; ids are compared
//	4.2)                                  value an address is nobody's id, and so  exactly (7643, 3.1)
//	                                      is an id in another case
//	an endpoint that does not exist: 404  400 if the path was meant for a user or  a 404 makes clients create the
//	(3.12)                                group                                    resource again
//	paths are exact                       ignores case and surplus slashes there   the same
//	attributes and excludedAttributes     takes the first without the second       nothing is gained by refusing
//	exclude each other (3.9)
//	passwords can be set (7643, 4.1.1)    accepts and forgets them                 the account never learns anybody's
//	                                                                               password
//	core attributes stand at the top      or under the URI of their schema         clients that treat schemas alike
//	(7643, 3.3)
//	attributes names attributes (7644,    passes over a filter in brackets there   clients of Microsoft's example code
//	3.9)
//	unassigned attributes are left out    but members, where they were read        clients compare the list
//	(2.5)
package scim
