// Package stories holds the acceptance tests of whole user stories, with a real
// Terraform and the built provider, real bridge processes and a real account
// service. It has no code of its own. Tests of a single resource are in that
// resource's package.
package stories
