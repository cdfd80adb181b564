// Package api is the account API: openapi.yaml, and the server and client that
// are generated from it. The handlers that put the account behind it are
// package server's, so that a client carries none of them.
package api

//go:generate go tool -modfile=../../../.ci/tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
