// Package firewall manages the account's firewall: single rules beside others
// (scimbridge_firewall_rule), or all of it (scimbridge_firewall_policy); what
// it says of an address, and of whoever runs Terraform; and it says in a plan
// whom a change would shut out.
//
// How a policy is evaluated is decided in bridge/account/firewall. What is
// refused at last is decided by the account.
package firewall
