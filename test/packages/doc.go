// Package packages tests the deb and the rpm as they are used: installed in a
// machine of their own, a container of systemd-nspawn that boots a Debian, by the
// commands that the guides print, for the packages and for an installation of
// production on one machine. It needs root and Linux, and lies behind the build
// tag release; `make test-packages` runs it on what `make snapshot` has made.
//
// How the packages are made is decided in .goreleaser.yml and packaging/.
package packages
