// Package certificates makes certificates for tests with engines, and puts an account behind HTTPS: a container with a
// network of its own cannot reach it on loopback, and elsewhere a bridge speaks to no account without TLS.
package certificates
