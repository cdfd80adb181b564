// Package dockerd starts a Docker Engine of its own for tests, and runs the docker command.
//
// It needs root, and runs in the namespaces that the script .ci/engines makes: the build tag keeps it from running
// anywhere else.
package dockerd
