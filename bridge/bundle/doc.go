// Package bundle makes support bundles: what an operator hands to somebody who helps with a bridge. It owns which
// files are in one, and that neither people nor secrets are.
//
// What a bundle says of people and groups, it says under pseudonyms: the same person has the same one in all files of
// a bundle, and in all bundles made beside the same data folder. Free text is redacted by a list of the words that may
// stay, not of those that must go: names have no form by which they could be found.
//
// Who may have a bundle, and how it gets to them, is decided by the callers.
package bundle
