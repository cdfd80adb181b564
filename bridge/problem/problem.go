// Package problem owns the catalogue of problems of a bridge: for each code a title,
// the cause, the remedy and, for some, the Terraform block to paste.
//
// The status page, /health, scim-bridge diagnose, Terraform's diagnostics and
// the troubleshooting guide all use these texts. Other packages detect problems and
// when they are solved.
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
	DirectoryUnreachable         Code = "directory_unreachable"
	DirectoryTokenRefused        Code = "directory_token_refused"
	DirectoryRateLimited         Code = "directory_rate_limited"
	DirectoryCapabilityMissing   Code = "directory_capability_missing"
	DirectoryAttributeNotKept    Code = "directory_attribute_not_kept"
	SignupDomainMissing          Code = "signup_domain_missing"
	AddressMissing               Code = "address_missing"
	ConfirmationStuck            Code = "confirmation_stuck"
	MembersUnknown               Code = "members_unknown"
	SuspensionsHeld              Code = "suspensions_held"
	StorageFull                  Code = "storage_full"
	StorageLost                  Code = "storage_lost"
	Overloaded                   Code = "overloaded"
	CertificateExpiring          Code = "certificate_expiring"
	CertificateInvalid           Code = "certificate_invalid"
)

// Log messages of the vendor's bridge, for which its operators search.
const (
	LogSignInFailed    = "AuthWrap failed to generateNewSession"
	LogFirewallBlocked = "Your current location or network is blocked by an account firewall rule"
)

// A Problem is a problem of a bridge, with texts for people and a code and details
// for programs.
type Problem struct {
	Code   Code      `json:"code"`
	Title  string    `json:"title"`
	Since  time.Time `json:"since"`
	Cause  string    `json:"cause"`
	Remedy string    `json:"remedy"`
	// Terraform is a block to paste, or empty.
	Terraform string `json:"terraform"`
	// Details are the facts in the texts.
	Details map[string]string `json:"details"`
}

// Facts are the known facts of a problem. Every fact may be missing: the texts then
// say less, and blocks have a placeholder.
type Facts map[string]string

// The facts in the catalogue's texts.
const (
	FactAddress  = "address"  // IP address of the bridge as the account saw it
	FactAnswered = "answered" // the answer, if it is not from an account service
	FactRefused  = "refused"  // the account service's answer, if it is an internal error
	// kinds of anonymous IPs that the rule names and the address has, separated by commas
	FactAnonymous = "anonymous_ips"
	// those that a SCIM server does not keep, separated by commas
	FactAttributes = "attributes"
	FactContinent  = "continent" // that the firewall rule names and the address is in
	FactCount      = "count"     // number of occurrences
	FactCountry    = "country"   // that the firewall rule names and the address is in
	FactDatabase   = "database"  // the account's --database
	FactDataDir    = "data_dir"  // of the bridge
	FactDomain     = "domain"    // host name of an e-mail address or of a certificate
	FactEmail      = "email"     // an e-mail address
	FactExpires    = "expires"   // RFC 3339
	FactForeign    = "foreign"   // token_rejected: "true" if the IdP's own requests are still accepted
	FactGroup      = "group"     // a group, or several in one text
	FactHolds      = "holds"     // storage_full: "true" if a bridge cannot keep what it holds
	FactIDs        = "ids"       // the first ones, quoted
	FactInstance   = "instance"  // a bridge instance
	FactNetworks   = "networks"  // clients' networks, each with its count
	FactOldest     = "oldest"    // RFC 3339: since when the oldest of several is there
	FactPeople     = "people"    // the first SCIM ids, separated by commas
	FactPrevious   = "previous"  // token_rejected: "true" if it was the previous pair's token
	FactRemovals   = "removals"  // held removals from groups
	FactReason     = "reason"    // the error, or the account's reason
	FactRuleID     = "rule_id"   // firewall rule; missing if the default action decided
	FactSetting    = "setting"   // session_unreadable, sealed: the setting with the wrong value
	FactURL        = "url"
	FactUserName   = "user_name"

	FactSuspensions = "suspensions" // held ones

	// The rule of FactRuleID, as far as it is known.
	FactRuleChangedAt   = "rule_changed_at"
	FactRuleDescription = "rule_description"
	FactRuleKind        = "rule_kind"   // ip_ranges, countries, continents or anonymous_ips
	FactRuleValues      = "rule_values" // joined by ", "
	FactRulePriority    = "rule_priority"

	// Of a certificate.
	FactCertFile  = "cert_file"
	FactKeyFile   = "key_file"
	FactExpired   = "expired"   // "true" if FactExpires has passed
	FactIssuer    = "issuer"    // whose certificate the chain lacks
	FactRetry     = "retry"     // when the authority is asked again, RFC 3339
	FactMissing   = "missing"   // "true" if there is no certificate yet
	FactSuccessor = "successor" // "true" if FactReason is about a newer certificate

	FactBlocked = "blocked" // what the firewall will block when it is enforced again; FactAddress has the addresses
	FactChecked = "checked" // "true" if that is known, even if nothing will be blocked
)

// New returns a problem with the catalogue's texts for code, rendered with facts.
func New(code Code, since time.Time, facts Facts) Problem {
	// The block escapes invisible characters itself, to keep the account's values.
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

// printable makes the facts safe for a terminal and a page: names and addresses are
// untrusted.
func printable(facts Facts) Facts {
	clean := make(Facts, len(facts))
	for k, v := range facts {
		clean[k] = inputtext.Line(v)
	}
	return clean
}

// copyOf returns an empty map for nil: "details" is an object in JSON.
func copyOf(facts Facts) map[string]string {
	details := make(map[string]string, len(facts))
	for k, v := range facts {
		if v != "" {
			details[k] = v
		}
	}
	return details
}
