// Package stories holds the stories that scimbridge exists for, each an
// acceptance test: a real Terraform with the built provider, the bridge as
// a real process, a real account service. It has no code of its own; what one
// resource alone promises is tested beside that resource.
package stories
