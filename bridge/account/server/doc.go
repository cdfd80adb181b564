// Package server serves the account over HTTP: it authenticates the caller of a
// request, translates requests to calls of packages account and directory, and
// their results and refusals to the answers that openapi.yaml describes.
//
// It owns authentication, the firewall check of each request, the validation of
// bodies, request ids, the access log and problem documents. The rules are in
// account and directory, the pages for people in package web, and the listener with
// its timeouts in the command.
package server
