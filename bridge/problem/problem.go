// Package problem owns the catalogue of what can be wrong with a bridge: for
// each code a title, the cause, the remedy and, where there is one, the
// Terraform block to paste.
//
// The status page, /health, scim-bridge diagnose, Terraform's diagnostics and
// the troubleshooting guide all use these words. What finds a problem, and
// when it has passed, is decided elsewhere.
package problem

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Code names a kind of problem. The set is closed: dashboards match on it.
type Code string

// The codes.
const (
	Sealed                       Code = "sealed"
	TokenRejected                Code = "token_rejected"
	SessionUnreadable            Code = "session_unreadable"
	CredentialsChanged           Code = "credentials_changed"
	TwoFactorEnforced            Code = "two_factor_enforced"
	ProvisioningInactive         Code = "provisioning_inactive"
	FirewallBlocked              Code = "firewall_blocked"
	FirewallBlockedCloudProvider Code = "firewall_blocked_cloud_provider"
	FirewallDisabled             Code = "firewall_disabled"
	AccountUnreachable           Code = "account_unreachable"
	SignupDomainMissing          Code = "signup_domain_missing"
	AddressMissing               Code = "address_missing"
	ConfirmationStuck            Code = "confirmation_stuck"
	MembersUnknown               Code = "members_unknown"
	StorageFull                  Code = "storage_full"
	StorageLost                  Code = "storage_lost"
	Overloaded                   Code = "overloaded"
)

// Reserved are the names of problems that nothing finds yet; no other problem
// may have them, and the catalogue does not list them.
const (
	SuspensionsHeld     Code = "suspensions_held"
	CertificateExpiring Code = "certificate_expiring"
)

// Log messages, in the words that operators of the vendor's bridge search for.
const (
	LogSignInFailed    = "AuthWrap failed to generateNewSession"
	LogFirewallBlocked = "Your current location or network is blocked by an account firewall rule"
)

// A Problem is one thing that is wrong, for a person and for a program.
type Problem struct {
	Code   Code      `json:"code"`
	Title  string    `json:"title"`
	Since  time.Time `json:"since"`
	Cause  string    `json:"cause"`
	Remedy string    `json:"remedy"`
	// Terraform is a block to paste, or empty.
	Terraform string `json:"terraform"`
	// Details are the facts that the texts were made of.
	Details map[string]string `json:"details"`
}

// Facts are what is known of a problem when it is found. Every fact may be
// missing: the texts then say less, and blocks have a placeholder.
type Facts map[string]string

// The facts that the catalogue's texts use.
const (
	FactAddress  = "address"  // IP address of the bridge as the account saw it
	FactAnswered = "answered" // what answers in the account's place
	FactRefused  = "refused"  // what the account answers, if it is an error of its own
	// kinds of anonymous IPs, joined by a comma, that the rule names and the address has
	FactAnonymous = "anonymous_ips"
	FactContinent = "continent" // that the firewall rule names and the address is in
	FactCount     = "count"     // how often, or how many
	FactCountry   = "country"   // that the firewall rule names and the address is in
	FactDatabase  = "database"  // the account's, as --database of the commands on its machine takes it
	FactDataDir   = "data_dir"  // of the bridge
	FactDomain    = "domain"    // host name of an e-mail address or of a certificate
	FactEmail     = "email"     // an e-mail address
	FactExpires   = "expires"   // RFC 3339
	FactForeign   = "foreign"   // token_rejected: "true" if the IdP's own requests are accepted meanwhile
	FactGroup     = "group"     // a group, or several in one text
	FactIDs       = "ids"       // quoted, the first of them
	FactInstance  = "instance"  // a bridge instance
	FactNetworks  = "networks"  // of clients, each with how often
	FactPeople    = "people"    // SCIM ids, the first of them, joined by a comma
	FactPrevious  = "previous"  // token_rejected: "true" if it was the previous pair's token
	FactReason    = "reason"    // what the other side said
	FactRuleID    = "rule_id"   // firewall rule; missing if the default action decided
	FactSetting   = "setting"   // session_unreadable, sealed: the setting that holds something else
	FactURL       = "url"
	FactUserName  = "user_name"

	// What is known of the rule of FactRuleID.
	FactRuleChangedAt   = "rule_changed_at"
	FactRuleDescription = "rule_description"
	FactRuleKind        = "rule_kind"   // ip_ranges, countries, continents or anonymous_ips
	FactRuleValues      = "rule_values" // joined by ", "
	FactRulePriority    = "rule_priority"

	FactBlocked = "blocked" // what the firewall will block when it is enforced again; FactAddress has the addresses
	FactChecked = "checked" // "true" if that is known, even if it is none
)

// New makes a problem of the catalogue's texts and the facts.
func New(code Code, since time.Time, facts Facts) Problem {
	// The block escapes what cannot be seen: its values are the account's.
	block := describe(code, facts).Terraform
	facts = printable(facts)
	e := describe(code, facts)
	return Problem{
		Code:      code,
		Title:     e.Title,
		Since:     since.UTC(),
		Cause:     e.Cause,
		Remedy:    e.Remedy,
		Terraform: block,
		Details:   copyOf(facts),
	}
}

// printable makes the facts safe for a terminal and a page: names and addresses
// come from outside.
func printable(facts Facts) Facts {
	clean := make(Facts, len(facts))
	for k, v := range facts {
		clean[k] = inputtext.Line(v)
	}
	return clean
}

// copyOf also makes an empty map of nil: "details" is an object on the wire.
func copyOf(facts Facts) map[string]string {
	details := make(map[string]string, len(facts))
	for k, v := range facts {
		if v != "" {
			details[k] = v
		}
	}
	return details
}
