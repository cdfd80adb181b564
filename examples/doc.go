// Package examples holds the configurations that the documentation shows. It has
// no code: its tests validate and apply them with a real Terraform.
package examples
