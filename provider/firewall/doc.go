// Package firewall manages the account's firewall: scimbridge_firewall_rule,
// and scimbridge_caller, which tells the address to let in.
//
// How a policy is evaluated is decided in bridge/account/firewall.
package firewall
