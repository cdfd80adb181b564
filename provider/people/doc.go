// Package people reads the account's people: scimbridge_members,
// scimbridge_groups and scimbridge_sign_in_attempts.
//
// It only reads: the identity provider manages people and groups through the bridge.
package people
