// Package server puts the account behind HTTP: it finds the caller of a request
// and its address, turns requests into calls of packages account and directory,
// and their answers and refusals into what openapi.yaml promises.
//
// It owns authentication, the firewall check of each request, the form of
// bodies, request ids, the access log and problem documents. The rules are
// those of account and directory; the pages that people see are package web's; listening,
// timeouts of the listener and the end of the process are the command's.
package server
