// Package engines holds the tests of the container image and of deployments under real container engines, on this host
// and on another one, which is a network of its own. They start the engines that they use, need root, and are run by
// `make test-engines` in namespaces of their own: the build tag keeps them from running anywhere else.
package engines
