// Package engines holds the tests of the container image under real container engines. They start a Docker Engine of
// their own, need root, and are run by `make test-engines` in namespaces of their own: the build tag keeps them from
// running anywhere else.
package engines
