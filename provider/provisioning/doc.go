// Package provisioning manages the account's provisioning integration and its
// credentials: scimbridge_provisioning, and scimbridge_bearer_token, which generates the
// token that they are sealed under.
//
// The Provision Manager's secrets are generated here, enrolled and sealed, and not stored:
// the account gets a verifier and the sealed session, Terraform's state only the
// sealed session. Package deployment runs bridges with it.
package provisioning
