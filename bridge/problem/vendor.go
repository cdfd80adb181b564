package problem

import (
	"regexp"
	"strings"
)

// Codes for lines of the vendor's bridge that have no counterpart in ours.
// Diagnose alone uses them: they are in no catalogue, page or metric.
const (
	VendorCache       Code = "vendor_cache"
	VendorCertificate Code = "vendor_certificate"
	VendorComponent   Code = "vendor_component"
	VendorProbe       Code = "vendor_probe" // harmless
)

// DetailSource is the key of Details with the address of the page where a
// vendor's line, or its remedy, is described.
const DetailSource = "source"

// A VendorLine is a kind of line in the log of 1Password SCIM Bridge.
type VendorLine struct {
	Code    Code
	Title   string
	Cause   string
	Remedy  string // what the vendor's own operator does: there is no Terraform resource to apply
	Example string
	// Quoted reports whether Example is a line that Source has, with names and
	// addresses replaced. Other examples are worded from the symptom that Source
	// describes: what the bridge writes may differ.
	Quoted bool
	// Source is where the line was published, or is described by the vendor.
	Source string
	// Harmless lines look like errors and are none.
	Harmless bool

	pattern *regexp.Regexp // in lower case; it sees the message, then the error
}

// VendorLines returns the table, in the order in which it is searched.
func VendorLines() []VendorLine { return append([]VendorLine(nil), vendorLines...) }

const (
	vendorPage     = "https://support.1password.com/scim-troubleshooting/"
	vendorExamples = "https://github.com/1Password/scim-examples/issues/"
	vendorMarket   = "https://github.com/1Password/op-scim-gcp-marketplace/issues/"
)

// regenerate is the vendor's remedy for whatever made credentials useless.
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

// vendorLines is searched from the top; the first match decides, so that the
// reason of a failure stands before the failure.
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
		Title: "Two-factor authentication was enforced after the integration was made",
		Cause: "The account asks for a second factor (Duo, or enforced two-factor authentication), which the " +
			"bridge does not have.",
		Remedy: "Turn provisioning off in the 1Password account, then set it up and deploy the bridge again: an " +
			"integration made under the policy is exempt from it.",
		Example: LogSignInFailed + ": two-factor authentication is required",
		Source:  vendorPage,
		pattern: regexp.MustCompile(`generatenewsession.*(two-factor|two factor|\b2fa\b|\bmfa\b|\bduo\b)`),
	},
	{
		Code:  AccountUnreachable,
		Title: "The bridge cannot reach 1Password",
		Cause: "The bridge's sign-in got no answer: a name that does not resolve, a port that is closed, or a " +
			"certificate that is not trusted.",
		Remedy: "From the bridge's machine or container, check that the account's address resolves and answers on " +
			"port 443, through the proxy if there is one. Nothing need be deployed again.",
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
			"one that was cut short when it was pasted.",
		Remedy: "Enter the whole bearer token that was made together with the scimsession file in the identity " +
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
		Cause: "After each start the bridge cannot open its session before somebody shows it the bearer token.",
		Remedy: "Sign in with the bearer token at the bridge's address in a browser, or let the identity provider " +
			"test its connection. " +
			"With Google Workspace no provider sends the token, so that somebody must sign in after every restart.",
		Example: "waiting for bearer token",
		Source:  vendorExamples + "391",
		pattern: regexp.MustCompile("(waiting|waits|wait) for (a |the |an )?(valid )?(oauth )?bearer token|bearer " +
			"token (is )?(required|needed) to unlock|" +
			`request with a valid bearer token to initialize|(provide|enter|show|supply) (a|the|your) bearer token`),
	},
	{
		Code:  VendorCache,
		Title: "Redis refuses the bridge's credentials",
		Cause: "Redis asks for a user or password that the bridge does not send, or sends wrong.",
		Remedy: "Put user and password into OP_REDIS_URL (redis://user:password@host:6379), or, if it has " +
			"characters that an address cannot hold, unset that and use OP_REDIS_USERNAME and OP_REDIS_PASSWORD.",
		Example: "FTL failed to set up redis for SCIM bridge error=\"NOAUTH Authentication required.\" " +
			"function=InitCache",
		Source:  vendorExamples + "278",
		pattern: regexp.MustCompile(`\b(noauth|wrongpass) `),
	},
	{
		Code:  VendorCache,
		Title: "Redis is out of memory",
		Cause: "Redis may hold no more, and no key may be evicted.",
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
			`redis.*(connection refused|no such host|i/o timeout|connection reset|broken pipe)|rediscache.*\b(error|failed)\b`),
	},
	{
		Code:  VendorCertificate,
		Title: "Let's Encrypt issues no more certificates for the domain",
		Cause: "The bridge asked for the same certificate too often: it does not find the ones that it has, mostly " +
			"because Redis was emptied with every restart.",
		Remedy: "Mend Redis first, so that certificates are kept. Then wait: the limit is counted over a week. " +
			"Until then give a certificate by OP_TLS_CERT_FILE and OP_TLS_KEY_FILE, or end TLS in front of the bridge.",
		Example: "ERR certificate manager error while getting certificate error=\"429 " +
			"urn:ietf:params:acme:error:rateLimited: too many certificates already issued\" " +
			"component=CertificateManager",
		Source:  vendorMarket + "95",
		pattern: regexp.MustCompile(`too many certificates|acme:error:ratelimited`),
	},
	{
		Code:  VendorCertificate,
		Title: "The bridge's certificate files cannot be read",
		Cause: "OP_TLS_CERT_FILE and OP_TLS_KEY_FILE name files that are not there.",
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
		Title: "The bridge gets no TLS certificate",
		Cause: "Let's Encrypt could not reach the bridge under its domain, or gave no answer in time.",
		Remedy: "Check that the domain (OP_TLS_DOMAIN) points to the bridge, that port 443 is open to it from " +
			"everywhere, and that nothing in front of it ends TLS. If something does, unset OP_TLS_DOMAIN.",
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
		Title: "The bridge confirms nobody",
		Cause: "The part of the bridge that confirms people who accepted their invitation does not work. Before " +
			"provisioning is turned on in the account it cannot.",
		Remedy: "Make sure that provisioning is turned on in the 1Password account (Integrations, Automated User " +
			"Provisioning). Then sign in at the bridge's status page, which starts that part if it is not running.",
		// The words are those of the status page in the issue.
		Example: "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:42Z] ConfirmationWatcher: unhealthy",
		Source:  vendorExamples + "247",
		pattern: regexp.MustCompile(`(confirmationwatcher|provisionwatcher): (unhealthy|disconnected|degraded)`),
	},
	{
		Code:    VendorCache,
		Title:   "The bridge has no Redis",
		Cause:   "The bridge reports that its Redis does not answer as it should.",
		Remedy:  checkRedis,
		Example: "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:42Z] RedisCache: unhealthy",
		Source:  vendorExamples + "122",
		pattern: regexp.MustCompile(`rediscache: (unhealthy|disconnected|degraded)`),
	},
	{
		Code:  VendorComponent,
		Title: "A part of the bridge does not work",
		Cause: "The bridge reports a part of itself as unhealthy; its lines just before say why.",
		Remedy: "Read the lines before it, and look at the bridge's status page. Restart the bridge if the cause " +
			"has passed.",
		Example: "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:37Z] SCIMServer: unhealthy",
		Source:  vendorExamples + "122",
		pattern: regexp.MustCompile(
			`\b(scimserver|start[a-z]+|[a-z]+(watcher|cache|server|manager|provider)): (unhealthy|disconnected|degraded)`),
	},
	{
		Code:  VendorComponent,
		Title: "A part of the bridge has not reported yet",
		Cause: "Shortly after a start this is usual; a watcher also says so until the bridge has its bearer token.",
		Remedy: "Nothing, if it passes. Else sign in at the bridge's status page with the bearer token, which " +
			"starts the part.",
		Example:  "[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-09T05:35:42Z] ProvisionWatcher: unknown",
		Source:   vendorExamples + "122",
		Harmless: true,
		pattern:  regexp.MustCompile(`\b(scimserver|start[a-z]+|[a-z]+(watcher|cache|server|manager|provider)): unknown`),
	},
	{
		Code:  VendorProbe,
		Title: "Somebody opened the TLS port and hung up",
		Cause: "Health checks of load balancers and port scanners connect without finishing the TLS handshake.",
		Remedy: "Nothing: identity providers are not affected. To have a quieter log, let the load balancer ask " +
			"/ping, or turn the ping server on (OP_PING_SERVER=1).",
		Example:  "2020/12/31 11:00:52 http: TLS handshake error from 10.244.2.1:9467: EOF",
		Quoted:   true,
		Source:   vendorExamples + "129",
		Harmless: true,
		pattern: regexp.MustCompile(
			`tls handshake error from \S+: (eof|read tcp .*(connection reset by peer|i/o timeout)|i/o timeout|` +
				`tls: first record does not look like a tls handshake|tls: client offered only unsupported versions.*|` +
				"tls: unsupported sslv2 handshake received|acme/autocert: (missing server name|server name component " +
				"count invalid|host .* not configured.*))"),
	},
	{
		Code:  SessionUnreadable,
		Title: "The scimsession file cannot be read",
		Cause: "The file is missing, damaged, encoded otherwise than the deployment expects, or belongs to another " +
			"bearer token.",
		Remedy: "Give the bridge the scimsession file again (OP_SESSION: a path, or its content in Base64). If it, " +
			"or its bearer token, is lost: " + regenerate,
		Example: "FTL failed to load scimsession file error=\"illegal base64 data at input byte 4\"",
		Source:  vendorPage,
		pattern: regexp.MustCompile("(failed to|cannot|could not|unable to) " +
			"(load|read|open|decode|decrypt|parse|unmarshal|find) (the )?(scim ?session|session " +
			"file)|scimsession.*(no such file|illegal base64|invalid character)"),
	},
}

// vendorLine returns the row that a line of the vendor's bridge belongs to.
func vendorLine(message string) (row int, ok bool) {
	message = strings.ToLower(message)
	for i, l := range vendorLines {
		if l.pattern.MatchString(message) {
			return i, true
		}
	}
	return 0, false
}
