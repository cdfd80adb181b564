// Package repository tests what is beside the code: that CI runs what .ci/run has, with actions that nobody can
// exchange and with the versions of Terraform that the documentation names; that every module is kept up to date; that
// files are as .editorconfig says; and that the tests exist which the threat model names.
// actionlint, in make lint, checks the workflows' grammar.
package repository
