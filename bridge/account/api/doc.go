// Package api is the account API: openapi.yaml, the server and client that
// are generated from it, and the handlers that put the account behind it.
package api

//go:generate go tool -modfile=../../../.ci/tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
