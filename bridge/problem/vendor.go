package problem

import (
	"regexp"
	"strings"
)

// Codes for lines of the vendor's bridge that have no counterpart in ours. Only
// Diagnose uses them; no catalogue, page or metric has them.
const (
	VendorCache       Code = "vendor_cache"
	VendorCertificate Code = "vendor_certificate"
	VendorComponent   Code = "vendor_component"
	VendorProbe       Code = "vendor_probe" // harmless
)

// DetailSource is the key of Details with the address of the page that describes a
// vendor's line or its remedy.
const DetailSource = "source"

// A VendorLine is a kind of log line of 1Password SCIM Bridge.
type VendorLine struct {
	Code    Code
	Title   string
	Cause   string
	Remedy  string // for an operator of the vendor's bridge: no Terraform resource applies
	Example string
	// Quoted reports whether Example is quoted from Source, with names and addresses
	// replaced. Other examples are written from the symptom that Source describes; the
	// bridge's line may differ.
	Quoted bool
	// Source is the address of the page that shows or describes the line.
	Source string
	// Harmless lines look like errors but are none.
	Harmless bool

	pattern *regexp.Regexp // in lower case, matched against the message and the error
}

// VendorLines returns the table in its search order.
func VendorLines() []VendorLine { return append([]VendorLine(nil), vendorLines...) }

const (
	vendorPage     = "https://support.1password.com/scim-troubleshooting/"
	vendorExamples = "https://github.com/1Password/scim-examples/issues/"
	vendorMarket   = "https://github.com/1Password/op-scim-gcp-marketplace/issues/"
)

// regenerate is the vendor's remedy for credentials that no longer work.
const regenerate = "Sign in to 1Password.com, open Integrations, then Automated User Provisioning, and regenerate " +
	"the credentials (older accounts: turn provisioning off and set it up again). " +
	"Put the new scimsession file into the bridge's deployment, restart it, and enter the new bearer token in the " +
	"identity provider."

// openFirewall is the vendor's remedy for its account firewall.
const openFirewall = "In the 1Password account's firewall rules, allow the bridge's outbound address. If the bridge " +
	"runs at a cloud provider and " +
	"an Anonymous IP rule denies Cloud Providers, add an IP rule that allows the bridge's static address, or take " +
	"Cloud Providers out of the Anonymous IP rule."

const checkRedis = "Check that Redis runs and that OP_REDIS_URL (or OP_REDIS_HOST and OP_REDIS_PORT) leads to it " +
	"from the bridge's container. " +
	"If both start together, let the bridge start after Redis is healthy. Then restart the bridge."

// vendorLines is searched from the top and the first match wins, so the reason of a
// failure precedes the failure.
var vendorLines = []VendorLine{
	{
		Code:    FirewallBlocked,
		Title:   "The 1Password account's firewall blocks the bridge",
		Cause:   "A firewall rule of the account denies the address from which the bridge signs in.",
		Remedy:  openFirewall,
		Example: LogFirewallBlocked,
		Quoted:  true,
		Source:  vendorPage,
		pattern: regexp.MustCompile(`blocked by an account firewall rule`),
	},
	{
		Code:   FirewallBlocked,
		Title:  "The 1Password account's firewall blocks the bridge",
		Cause:  "A firewall rule of the account denies the address from which the bridge signs in.",
		Remedy: openFirewall,
		Example: "[ERROR] 2026/02/20 10:52:58 (403) Forbidden (Firewall Rule): The IP address of your SCIM bridge " +
			"was blocked by a 1Password firewall rule.",
		Quoted:  true,
		Source:  "https://github.com/1Password/onepassword-sdk-python/issues/214",
		pattern: regexp.MustCompile(`forbidden \(firewall rule\)|blocked by a 1password firewall rule`),
	},
	{
		Code:  TwoFactorEnforced,
		Title: "Two-factor authentication was enforced after the integration was set up",
		Cause: "The account requires a second factor (Duo, or enforced two-factor authentication), which the " +
			"bridge does not have.",
		Remedy: "Turn provisioning off in the 1Password account, then set it up and deploy the bridge again: an " +
			"integration that is set up under the policy is exempt from it.",
		Example: LogSignInFailed + ": two-factor authentication is required",
		Source:  vendorPage,
		pattern: regexp.MustCompile(`generatenewsession.*(two-factor|two factor|\b2fa\b|\bmfa\b|\bduo\b)`),
	},
	{
		Code:  AccountUnreachable,
		Title: "The bridge cannot reach 1Password",
		Cause: "The bridge's sign-in request failed: the name does not resolve, the port is closed, or the " +
			"certificate is not trusted.",
		Remedy: "From the bridge's machine or container, check that the account's address resolves and answers on " +
			"port 443, through the proxy if there is one. The bridge need not be redeployed.",
		Example: LogSignInFailed + ": dial tcp: lookup example.1password.com: i/o timeout",
		Source:  vendorPage,
		pattern: regexp.MustCompile("generatenewsession.*(connection refused|connection reset|no such host|i/o " +
			"timeout|deadline exceeded|handshake timeout|network is unreachable|no route to host|x509:)"),
	},
	{
		Code:  CredentialsChanged,
		Title: "The Provision Manager's credentials no longer work",
		Cause: "1Password refuses the session: the Provision Manager's password, Secret Key or e-mail address was " +
			"changed, or two-factor authentication was enforced.",
		Remedy:  regenerate,
		Example: LogSignInFailed,
		Quoted:  true,
		Source:  vendorPage,
		pattern: regexp.MustCompile(`generatenewsession`),
	},
	{
		Code:  TokenRejected,
		Title: "A wrong bearer token was refused",
		Cause: "A client sent a bearer token that does not belong to the bridge's scimsession file: an old one, or " +
			"one that was truncated when it was pasted.",
		Remedy: "Enter the whole bearer token that was issued with the scimsession file in the identity " +
			"provider. If it is lost: " + regenerate,
		Example: "(E) Server: (failed to unverifiedTokenFromRequest), 401: Invalid bearer token",
		Quoted:  true,
		Source:  "https://github.com/1Password/terraform-provider-onepassword/issues/24",
		pattern: regexp.MustCompile("invalid (oauth )?bearer token|bearer token (is |was " +
			")?(invalid|incorrect|rejected)|(incorrect|wrong) bearer token"),
	},
	{
		Code:  Sealed,
		Title: "The bridge waits for its bearer token",
		Cause: "After each start the bridge needs the bearer token to open its session.",
		Remedy: "Sign in with the bearer token at the bridge's address in a browser, or let the identity provider " +
			"test its connection. " +
			"Google Workspace does not send the token: sign in after every restart.",
		Example: "waiting for bearer token",
		Source:  vendorExamples + "391",
		pattern: regexp.MustCompile("(waiting|waits|wait) for (a |the |an )?(valid )?(oauth )?bearer token|bearer " +
			"token (is )?(required|needed) to unlock|" +
			`request with a valid bearer token to initialize|(provide|enter|show|supply) (a|the|your) bearer token`),
	},
	{
		Code:  VendorCache,
		Title: "Redis refuses the bridge's credentials",
		Cause: "Redis requires a user name or password, and the bridge sends none or a wrong one.",
		Remedy: "Put user and password into OP_REDIS_URL (redis://user:password@host:6379), or, if it has " +
			"characters that a URL cannot hold, unset that and use OP_REDIS_USERNAME and OP_REDIS_PASSWORD.",
		Example: "FTL failed to set up redis for SCIM bridge error=\"NOAUTH Authentication required.\" " +
			"function=InitCache",
		Source:  vendorExamples + "278",
		pattern: regexp.MustCompile(`\b(noauth|wrongpass) `),
	},
	{
		Code:  VendorCache,
		Title: "Redis is out of memory",
		Cause: "Redis has reached its memory limit, and its policy allows no key to be evicted.",
		Remedy: "Give Redis more memory, or the settings of the vendor's examples: --maxmemory 256mb " +
			"--maxmemory-policy volatile-lru.",
		Example: `ERR failed to write to cache error="OOM command not allowed when used memory > 'maxmemory'."`,
		Source:  "https://github.com/1Password/scim-examples/blob/main/azure-container-apps/README.md",
		pattern: regexp.MustCompile(`oom command not allowed`),
	},
	{
		Code:   VendorCache,
		Title:  "The bridge has no Redis",
		Cause:  "The bridge keeps its cache and certificates in Redis and does not start without it.",
		Remedy: checkRedis,
		Example: "FTL failed to set up redis for SCIM bridge error=\"Network: (failed to NewRedisConnPool), cannot " +
			"initialize connection: " +
			"cannot connect to redis: dial tcp 192.0.2.7:6379: connect: connection refused\" application=op-scim " +
			"build=209061 function=InitCache version=2.9.6",
		Quoted: true,
		Source: vendorMarket + "93",
		pattern: regexp.MustCompile("failed to set up redis|newredisconnpool|(cannot|could not|failed to|unable to) " +
			"(connect to|ping|reach|dial) redis|" +
			`redis.*(connection refused|no such host|i/o timeout|connection reset|broken pipe)|rediscache.*\b(error|` +
			`failed)\b`),
	},
	{
		Code:  VendorCertificate,
		Title: "Let's Encrypt's rate limit for the domain is reached",
		Cause: "The bridge requested the same certificate too often: it lost the earlier ones, usually " +
			"because Redis is emptied with every restart.",
		Remedy: "Correct Redis first, so that certificates are kept. Then wait: the limit covers a week. " +
			"Until then, set OP_TLS_CERT_FILE and OP_TLS_KEY_FILE, or terminate TLS in front of the bridge.",
		Example: "ERR certificate manager error while getting certificate error=\"429 " +
			"urn:ietf:params:acme:error:rateLimited: too many certificates already issued\" " +
			"component=CertificateManager",
		Source:  vendorMarket + "95",
		pattern: regexp.MustCompile(`too many certificates|acme:error:ratelimited`),
	},
	{
		Code:  VendorCertificate,
		Title: "The bridge's certificate files cannot be read",
		Cause: "The files in OP_TLS_CERT_FILE and OP_TLS_KEY_FILE do not exist.",
		Remedy: "Mount the two files, or unset both variables to let Let's Encrypt issue a certificate for " +
			"OP_TLS_DOMAIN.",
		Example: "FTL failed to generate TLS config, retrying after backoff delay error=\"could not find cert file " +
			"with given path secrets/tls-certificate: stat /secrets/tls-certificate: no such file or directory\" " +
			"application=op-scim build=207041 version=2.7.4",
		Quoted:  true,
		Source:  vendorExamples + "229",
		pattern: regexp.MustCompile(`failed to generate tls config|could not find (cert|key) file`),
	},
	{
		Code:  VendorCertificate,
		Title: "The bridge cannot get a TLS certificate",
		Cause: "Let's Encrypt could not reach the bridge at its domain, or did not answer in time.",
		Remedy: "Check that the domain (OP_TLS_DOMAIN) points to the bridge, that port 443 is open to it from " +
			"everywhere, and that no proxy in front of it terminates TLS. If one does, unset OP_TLS_DOMAIN.",
		Example: "2:01PM ERR certificate manager error while getting certificate error=\"timed out waiting to load " +
			"certificate for scim.example.com\" application=op-scim build=209131 component=CertificateManager " +
			"domain=scim.example.com version=2.9.13",
		Quoted: true,
		Source: vendorMarket + "95",
		pattern: regexp.MustCompile("certificate manager error|waiting to load certificate|acme: authorization " +
			"error|certificatemanager: (unhealthy|disconnected)"),
	},
	{
		Code:  ConfirmationStuck,
		Title: "The bridge does not confirm people",
		Cause: "The component that confirms people who accepted their invitation does not work. It cannot before " +
			"provisioning is turned on in the account.",
		Remedy: "Make sure that provisioning is turned on in the 1Password account (Integrations, Automated User " +
			"Provisioning). Then sign in at the bridge's status page, which starts the component if it is stopped.",
		// The wording is that of the status page in the issue.
		Example: "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:42Z] ConfirmationWatcher: unhealthy",
		Source:  vendorExamples + "247",
		pattern: regexp.MustCompile(`(confirmationwatcher|provisionwatcher): (unhealthy|disconnected|degraded)`),
	},
	{
		Code:    VendorCache,
		Title:   "The bridge has no Redis",
		Cause:   "The bridge reports that its Redis does not answer correctly.",
		Remedy:  checkRedis,
		Example: "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:42Z] RedisCache: unhealthy",
		Source:  vendorExamples + "122",
		pattern: regexp.MustCompile(`rediscache: (unhealthy|disconnected|degraded)`),
	},
	{
		Code:  VendorComponent,
		Title: "A component of the bridge does not work",
		Cause: "The bridge reports a component as unhealthy; the lines just before this one give the reason.",
		Remedy: "Read these lines and the bridge's status page, solve the cause, and restart the bridge if the " +
			"component does not recover.",
		Example: "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:37Z] SCIMServer: unhealthy",
		Source:  vendorExamples + "122",
		pattern: regexp.MustCompile(
			`\b(scimserver|start[a-z]+|[a-z]+(watcher|cache|server|manager|provider)): (unhealthy|disconnected|` +
				`degraded)`),
	},
	{
		Code:  VendorComponent,
		Title: "A component of the bridge has not reported yet",
		Cause: "This is usual shortly after a start, and until the bridge has its bearer token.",
		Remedy: "No action if it reports later. Otherwise sign in at the bridge's status page with the bearer " +
			"token, which starts the component.",
		Example:  "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-09T05:35:42Z] ProvisionWatcher: unknown",
		Source:   vendorExamples + "122",
		Harmless: true,
		pattern: regexp.MustCompile(`\b(scimserver|start[a-z]+|[a-z]+(watcher|cache|server|manager|` +
			`provider)): unknown`),
	},
	{
		Code:  VendorProbe,
		Title: "A client connected to the TLS port and closed the connection",
		Cause: "Health checks of load balancers and port scanners connect without finishing the TLS handshake.",
		Remedy: "No action: identity providers are not affected. For fewer such lines, let the load balancer check " +
			"/ping, or turn the ping server on (OP_PING_SERVER=1).",
		Example:  "2020/12/31 11:00:52 http: TLS handshake error from 10.244.2.1:9467: EOF",
		Quoted:   true,
		Source:   vendorExamples + "129",
		Harmless: true,
		pattern: regexp.MustCompile(
			`tls handshake error from \S+: (eof|read tcp .*(connection reset by peer|i/o timeout)|i/o timeout|` +
				`tls: first record does not look like a tls handshake|` +
				`tls: client offered only unsupported versions.*|` +
				"tls: unsupported sslv2 handshake received|acme/autocert: (missing server name|server name component " +
				"count invalid|host .* not configured.*))"),
	},
	{
		Code:  SessionUnreadable,
		Title: "The scimsession file cannot be read",
		Cause: "The file is missing, damaged, encoded in another way than the deployment expects, " +
			"or belongs to another bearer token.",
		Remedy: "Give the bridge the scimsession file again (OP_SESSION: a path, or its content in Base64). If it, " +
			"or its bearer token, is lost: " + regenerate,
		Example: "FTL failed to load scimsession file error=\"illegal base64 data at input byte 4\"",
		Source:  vendorPage,
		pattern: regexp.MustCompile("(failed to|cannot|could not|unable to) " +
			"(load|read|open|decode|decrypt|parse|unmarshal|find) (the )?(scim ?session|session " +
			"file)|scimsession.*(no such file|illegal base64|invalid character)"),
	},
}

// vendorLine returns the row that matches a line of the vendor's bridge.
func vendorLine(message string) (row int, ok bool) {
	message = strings.ToLower(message)
	for i, l := range vendorLines {
		if l.pattern.MatchString(message) {
			return i, true
		}
	}
	return 0, false
}
