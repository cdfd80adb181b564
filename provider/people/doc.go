// Package people reads who is in the account: scimbridge_members,
// scimbridge_groups and scimbridge_sign_in_attempts.
//
// It changes nobody. People and groups follow the identity provider through
// the bridge; Terraform looks at what arrived.
package people
