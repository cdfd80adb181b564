// Package firewall manages the account's firewall: single rules
// (scimbridge_firewall_rule) or the whole policy (scimbridge_firewall_policy). It has
// data sources for the caller and for the decision about an address. Its plans report
// which callers a change would lock out.
//
// Policies are evaluated by bridge/account/firewall. The account has the final
// decision about refusing a change.
package firewall
