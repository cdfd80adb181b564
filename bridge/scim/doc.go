// Package scim owns SCIM 2.0 over HTTP: it decodes a request, asks the
// directory, and answers.
package scim
