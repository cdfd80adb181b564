// Package provisioning manages the account's provisioning integration and its
// credentials: scimbridge_provisioning, and scimbridge_bearer_token, which
// makes the token that they are sealed under.
//
// The Provision Manager's secrets are made here, enrolled, sealed and
// forgotten: the account gets a verifier and the sealed session, Terraform's
// state the sealed session alone. Where a bridge runs with it is the business
// of package deployment.
package provisioning
