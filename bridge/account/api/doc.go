// Package api is the account API: openapi.yaml, and the server and client that
// are generated from it. The handlers that put the account behind it are
// package server's, so that a client carries none of them.
package api

import _ "embed"

// Document is openapi.yaml itself, for people and generators that ask a server for it.
//
//go:embed openapi.yaml
var Document []byte

//go:generate go tool -modfile=../../../.ci/tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
