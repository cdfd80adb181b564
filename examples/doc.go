// Package examples holds the configurations that people start from, as the
// documentation shows them. It has no code: its tests hold each configuration
// against the provider, with a real Terraform.
package examples
