// Package install tests a release as its users have it: from the archives in dist/, without Go or the source. Its
// tests need such a release, so they are built with the tag release alone; `make test-install` runs them.
package install
