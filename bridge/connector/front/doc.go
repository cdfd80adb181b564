// Package front is a bridge's way to a SCIM server on the far side. It has the
// credentials of a sealed session of the kind directory, makes the Directory of package
// connector/scim with them, and says in health how the server is.
//
// What is asked of the server, and how, is connector/scim's; which bearer token opens the
// session is auth's.
package front
