// Package server puts the account behind HTTP: it decides who is asking and
// from where, turns requests into calls of package account, and its answers
// and refusals into what openapi.yaml promises.
//
// It owns authentication, the firewall check of each request, the form of
// bodies, request ids, the access log and problem documents. The rules are
// package account's; the pages that people see are package web's; listening,
// timeouts of the listener and the end of the process are the command's.
package server
