package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"unicode"
)

// An Entry is the catalogue's text for one code.
type Entry struct {
	Code      Code
	Title     string
	Cause     string
	Remedy    string // imperative and concrete
	Terraform string // a block, or empty
}

// Catalogue returns an entry for every code, in the order of the codes, rendered
// without facts, for documentation.
func Catalogue() []Entry {
	all := make([]Entry, len(catalogue))
	for i, t := range catalogue {
		all[i] = t.render(nil)
	}
	return all
}

// guide is the troubleshooting guide, which has a section for each entry.
const guide = "https://github.com/scimbridge/terraform-provider-scimbridge/blob/main/docs/guides/troubleshooting.md"

// Guide returns the address of the guide's section about a code.
func Guide(code Code) string {
	for _, t := range catalogue {
		if t.code == code {
			return guide + "#" + Anchor(t.render(nil).Title)
		}
	}
	return guide
}

// Anchor returns what the registry and GitHub make of a heading.
func Anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		default:
			return -1
		}
	}, strings.ToLower(heading))
}

// describe renders the entry of code. A code that is not in the catalogue, from a
// newer bridge, is shown as it is.
func describe(code Code, facts Facts) Entry {
	for _, t := range catalogue {
		if t.code == code {
			return t.render(facts)
		}
	}
	return Entry{
		Code:   code,
		Title:  string(code),
		Cause:  "A newer version reported this problem, which this version does not know.",
		Remedy: "Update this program, or read the bridge's log.",
	}
}

// An entry has the templates of an Entry, which are rendered with Facts.
type entry struct {
	code                            Code
	title, cause, remedy, terraform *template.Template
}

func (e entry) render(facts Facts) Entry {
	return Entry{
		Code:      e.code,
		Title:     execute(e.title, facts),
		Cause:     execute(e.cause, facts),
		Remedy:    execute(e.remedy, facts),
		Terraform: execute(e.terraform, facts),
	}
}

func execute(t *template.Template, facts Facts) string {
	if t == nil { // no Terraform block
		return ""
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]string(facts)); err != nil {
		// A fault in a template below; the tests render all of them.
		panic(fmt.Sprintf("problem: %v", err))
	}
	return strings.TrimSpace(b.String())
}

func parse(s string) *template.Template {
	return template.Must(template.New("").Option("missingkey=zero").Funcs(template.FuncMap{
		"hcl":       quoteHCL,
		"rule":      RuleName,
		"title":     func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
		"addresses": addresses,
		"before":    priorityBefore,
		"first":     isFirst,
		"move":      moveDenying,
		"other":     otherAddresses,
		"disable":   DisableFirewall,
		"holds":     decideHolds,
		"held":      decideHeld,
		"where":     whereToRun,
		"unseal":    unsealCommand,
		"ping":      func(url string) string { return strings.TrimSuffix(url, "/") + "/ping" },
		"name":      blockName,
		"cloud":     cloudKinds,
		"quoted":    quoteList,
		"shell":     QuoteShell,
		"path":      databasePath,
		"isServer":  isOnServer,
	}).Parse(s))
}

func unsealCommand(dataDir string) string {
	return "scim-bridge unseal " + QuoteShell(cmp.Or(dataDir, "DATA_DIR"))
}

// anonymousKinds are the kinds of anonymous addresses, cloud providers first.
var anonymousKinds = []string{"cloud_provider", "vpn", "tor", "public_proxy"}

// cloudKinds splits a FactAnonymous, which may be empty.
func cloudKinds(fact string) []string {
	if fact == "" {
		return anonymousKinds[:1]
	}
	return strings.Split(fact, ", ")
}

// otherKinds returns the kinds of anonymous addresses that are not in fact.
func otherKinds(fact string) []string {
	return slices.DeleteFunc(slices.Clone(anonymousKinds), func(kind string) bool {
		return slices.Contains(cloudKinds(fact), kind)
	})
}

func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quoteHCL(word)
	}
	return strings.Join(quoted, ", ")
}

// quoteHCL writes s as a quoted HCL string. Facts are untrusted, an e-mail address
// for instance: a block that an operator pastes must not contain an interpolation
// from there.
func quoteHCL(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r > 0xffff && unicode.Is(unicode.Cf, r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// QuoteShell writes s as one word for a POSIX shell.
func QuoteShell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/:._-=@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// databasePath returns the file that a FactDatabase names.
func databasePath(setting string) string { return strings.TrimPrefix(setting, "sqlite:") }

// isOnServer reports whether a FactDatabase names a database of PostgreSQL.
func isOnServer(setting string) bool {
	return strings.HasPrefix(setting, "postgres://") || strings.HasPrefix(setting, "postgresql://")
}

// blockName returns a Terraform resource name for a host name.
func blockName(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		default:
			return '_'
		}
	}, strings.ToLower(s))
	if name == "" {
		return "example"
	}
	if name[0] >= '0' && name[0] <= '9' { // a name begins with a letter
		return "d" + name
	}
	return name
}

const allowBridge = `
resource "scimbridge_firewall_rule" "let_bridge_in" {
  action      = "allow"
  ip_ranges   = [{{addresses .}}]
{{before .}}  description = "SCIM bridge"
}{{move .}}`

// orInPolicy is for configurations that manage all rules in one resource.
const orInPolicy = "(or add it to the `rules` of the scimbridge_firewall_policy that manages them)"

// makeRoom precedes the advice to add an allow rule.
const makeRoom = "{{if first .}}{{rule . | title}} has the lowest possible priority, so that no rule can precede " +
	"it. The block below needs priority 0: set the rule's to 1 where it is managed" +
	"{{if move .}}, or with the import below{{end}}. {{end}}"

// liftFirst follows it: the same rule may block Terraform.
const liftFirst = "If the firewall blocks Terraform too, first disable it for an hour, {{where .}}: " +
	"`{{disable .database \"1h\"}}`. "

const allowDomain = `
resource "scimbridge_signup_domain" "{{name .domain}}" {
  domain = {{if .domain}}{{hcl .domain}}{{else}}"<the domain>"{{end}}
}`

// reactivate is the remedy for all causes that make the sealed credentials
// invalid: activation creates new ones.
const reactivate = "Run `terraform apply` with the bearer token as bearer_token_wo: it activates provisioning " +
	"again, seals a new session with new credentials under that token, and redeploys the bridge. If Terraform did " +
	"not deploy the bridge, replace its session file with the new `session` of scimbridge_provisioning and restart " +
	"it; one that runs in the account's process reads the session by itself."

// writeCertificate is the remedy for certificates from files.
const writeCertificate = "Write the certificate, followed by those of its issuers, to {{with .cert_file}}{{.}}" +
	"{{else}}the file of --tls-cert-file{{end}}, and its key to {{with .key_file}}{{.}}{{else}}the file of " +
	"--tls-key-file{{end}}. Both are read every 5 seconds: no restart is needed.{{if not .cert_file}} A certificate " +
	"by ACME (--tls-domain) is renewed by the bridge: its log says what keeps it from that.{{end}}"

// getCertificate is the remedy for certificates by ACME.
const getCertificate = "Solve the reason above; the bridge then gets the certificate by itself. The authority " +
	"({{.url}}) must be reachable from the bridge, and must reach the bridge under {{.domain}} on port 443, without " +
	"a proxy in between that ends TLS, or on port 80, where --ping-listen answers. {{with .retry}}The next attempt " +
	"is at {{.}}. {{end}}`scim-bridge reload {{with .data_dir}}{{shell .}}{{else}}DATA_DIR{{end}}` on the bridge's " +
	"machine makes one at once, unless the authority has said when to come back."

var catalogue = []entry{
	{
		code:  Sealed,
		title: parse(`The bridge is sealed`),
		cause: parse("The bridge has not received its bearer token since it started or was sealed. " +
			"Only the token opens the session, and the bridge does not store it." +
			`{{with .reason}} The configured token file does not unseal the bridge: {{.}}.{{end}}`),
		remedy: parse("{{if .reason}}Write the current bearer token to {{if .setting}}{{.setting}} and restart the " +
			"bridge. {{else}}that file; the bridge reads it again every 5 seconds. {{end}}Or do one of these: {{end}}" +
			"Send any SCIM request with the bearer token (the identity provider's next one is enough), " +
			"sign in to the status page with it, or run `{{unseal .data_dir}}` " +
			"on the bridge's machine, with the token on standard input{{if not .data_dir}}, where DATA_DIR is a " +
			"placeholder for the value of its --data-dir{{end}}. " +
			"If Terraform deployed the bridge, `terraform apply` with the token as unseal_token_wo of " +
			"scimbridge_deployment unseals it too. " +
			"To unseal the bridge automatically after restarts, set unseal = \"stored\" there, or start it with " +
			"--unseal-token-file."),
	},
	{
		code: TokenRejected,
		title: parse("{{if eq .previous \"true\"}}The identity provider still uses the old token{{else}}A wrong " +
			"bearer token was refused{{end}}"),
		cause: parse("{{if eq .previous \"true\"}}A client sent the previous bearer token after the end of the " +
			"overlap{{with .expires}} ({{.}}){{end}}" +
			`{{else}}A client sent a well-formed bearer token that does not belong to this bridge's session{{end}}` +
			`{{with .count}}, {{.}} times{{end}}{{with .networks}}; by network: {{.}}{{end}}.` +
			`{{if eq .foreign "true"}} The identity provider's own requests are still accepted.{{end}}`),
		remedy: parse("{{if eq .foreign \"true\"}}Compare the networks with those of your identity provider. If they " +
			"differ, no action is needed: a made-up token gives no access. " +
			"To stop such requests, allow only the identity provider's networks to reach the bridge. If the networks " +
			"match, enter the current bearer token in that part of the identity provider too." +
			`{{else}}Enter the current bearer token in the identity provider. If it is lost, ` +
			`set a new one as bearer_token_wo of scimbridge_provisioning and run ` + "`terraform apply`" +
			`; both tokens are valid during the overlap.{{end}} The problem clears an hour after the last such ` +
			`request.`),
	},
	{
		code:  SessionUnreadable,
		title: parse(`The session cannot be read`),
		cause: parse("{{if .reason}}The bridge cannot open its session: {{.reason}}.{{else}}The session file is " +
			"missing, truncated, damaged, or sealed under another bearer token.{{end}}"),
		remedy: parse("{{if .setting}}Correct {{.setting}} and restart the bridge. If Terraform deployed it, " +
			"`terraform apply` writes the session again: the account stores it.{{else}}Run `terraform apply` with " +
			"the bearer token as unseal_token_wo of scimbridge_deployment: it writes the session, which the account " +
			"stores, to the bridge again. If Terraform did not deploy the bridge, write the `session` of " +
			"scimbridge_provisioning to the session file; the bridge reads it again every 5 seconds. If the bearer " +
			"token is lost, set a new one as bearer_token_wo of scimbridge_provisioning in the same run.{{end}} " +
			"A session for a SCIM server is made again by `scim-bridge session seal`."),
	},
	{
		code:  CredentialsChanged,
		title: parse(`The Provision Manager's credentials no longer work`),
		cause: parse(`The account refused the sealed credentials{{with .reason}} ({{.}}){{end}}. ` +
			`{{if eq .reason "credentials_expired"}}They are from before a rotation whose overlap has ended.` +
			"{{else if eq .reason \"\"}}The Provision Manager's Master Password, Secret Key or e-mail address was " +
			"changed after activation, or two-factor authentication was enforced." +
			"{{else}}The Provision Manager's Master Password, Secret Key or e-mail address was changed after " +
			"activation.{{end}}"),
		remedy: parse(reactivate),
	},
	{
		code:  TwoFactorEnforced,
		title: parse(`Two-factor authentication was enforced after activation`),
		cause: parse("The account now requires a second factor, which the bridge does not have. An integration that " +
			"was activated before the policy is not exempt from it."),
		remedy: parse(reactivate + " An integration that is activated under the policy is exempt from it."),
	},
	{
		code:  ProvisioningInactive,
		title: parse(`Provisioning is not active`),
		cause: parse("The account has no active provisioning integration for this session: it was not activated, was " +
			"deactivated, or was activated again elsewhere."),
		remedy: parse(reactivate),
	},
	{
		code:  FirewallBlocked,
		title: parse(`The account's firewall blocks the bridge`),
		cause: parse(`{{if .address}}The account sees the bridge at {{.address}}, and ` +
			`{{if .rule_id}}{{rule .}} denies that address` +
			"{{with .country}} (country {{.}}){{end}}{{with .continent}} (continent " +
			"{{.}}){{end}}{{with .anonymous_ips}} ({{.}}){{end}}.{{else}}no firewall rule matches that address: the " +
			"default action denies it.{{end}}" +
			"{{else}}A firewall rule or the default action denies the bridge's address.{{end}}"),
		remedy: parse("Run `terraform plan`: it shows whether a managed rule was changed outside Terraform, and " +
			"`terraform apply` restores it. Otherwise add the rule below " + orInPolicy + " and apply it. " +
			"{{if and .rule_id (not .rule_priority)}}An allow rule has priority 100 by default: if rule {{.rule_id}} " +
			"has priority 100 or lower, give the new rule a lower one than that. {{end}}" +
			makeRoom + liftFirst + "The bridge signs in again within 15 seconds."),
		terraform: parse(allowBridge),
	},
	{
		code:  FirewallBlockedCloudProvider,
		title: parse(`The account's firewall blocks cloud providers`),
		cause: parse("{{if .address}}The account sees the bridge at {{.address}}, an address of a cloud provider, " +
			"and {{else}}The bridge runs at a cloud provider, and {{end}}" +
			"{{if .rule_id}}{{rule .}}{{else}}an anonymous-IP firewall rule{{end}} denies cloud " +
			"providers{{with .anonymous_ips}} (it names {{.}}){{end}}."),
		remedy: parse("If the bridge's outbound address is static, add the allow rule below " + orInPolicy +
			"{{if not .rule_priority}}, with a lower priority than the deny rule{{end}}. " + makeRoom +
			"Otherwise {{if other .}}remove {{quoted (cloud .anonymous_ips)}} from anonymous_ips of " +
			"{{if .rule_id}}rule {{.rule_id}}{{else}}that rule{{end}}, as in the comment below; if it names nothing " +
			"else, remove it{{else}}remove rule {{.rule_id}}, which names nothing else{{end}}. " +
			"Then run `terraform apply`. " + liftFirst + "The bridge signs in again within 15 seconds."),
		terraform: parse(allowBridge + "{{other .}}"),
	},
	{
		code:  FirewallDisabled,
		title: parse(`The account's firewall is disabled`),
		cause: parse("The firewall was disabled by a command on the account's machine{{with .expires}}, until " +
			"{{.}}{{end}}. Its rules are kept and not enforced. " +
			"{{if .blocked}}When it is enforced again, it will block {{.blocked}}.{{else if .checked}}When it is " +
			"enforced again, it will block no active bridge and no administrator seen since.{{end}}"),
		remedy: parse("{{if .blocked}}Before that, add the rule below " + orInPolicy + " and run `terraform apply`. " +
			makeRoom +
			"{{else if not .checked}}Correct the rules that blocked access. `terraform plan` shows only the managed " +
			"rules that were changed outside Terraform. {{end}}" +
			"The firewall is enforced again {{with .expires}}at {{.}}{{else}}after the given time{{end}}. " +
			"To enforce it now, run, {{where .}}: `{{disable .database \"0s\"}}`."),
		terraform: parse("{{if .blocked}}" + allowBridge + "{{end}}"),
	},
	{
		code: AccountUnreachable,
		title: parse("{{if .answered}}Another service answers at the account's address{{else if .refused}}The " +
			"account answers with an error{{else}}The account cannot be reached{{end}}"),
		cause: parse("{{if .answered}}The answer{{with .url}} from {{.}}{{end}} is not from the account service: " +
			"{{.answered}}." +
			`{{else if .refused}}The account service{{with .url}} at {{.}}{{end}} {{.refused}}.` +
			"{{else}}No answer from the account service{{with .url}} at {{.}}{{end}}{{with .reason}}: " +
			"{{.}}{{end}}.{{end}}"),
		remedy: parse("{{if .answered}}A proxy, a load balancer or another service answers at that address: " +
			"configure it to forward the account's paths (/v1/...), or correct the account's URL" +
			"{{with .url}}; an account answers `curl -i {{shell (ping .)}}` with 204{{end}}. " +
			"{{else if .refused}}Look for the request id, or else the time, in the account service's log. " +
			"If its version differs from the bridge's, install the same version of both. " +
			"{{else}}Check that the account service runs, that its name resolves and that its certificate is trusted " +
			"on the bridge's machine{{with .url}} (`curl -i {{shell (ping .)}}` shows this){{end}}. If a private " +
			"authority issued that, the bridge needs the authority's root certificate: --account-ca-file of " +
			"scim-bridge serve, pod.ca_certificate_pem of kubernetes, or SSL_CERT_FILE. {{end}}" +
			"The bridge retries and needs no restart. Until it succeeds, SCIM requests are answered with 503."),
	},
	{
		code:  DirectoryUnreachable,
		title: parse(`The SCIM server behind the bridge does not answer`),
		cause: parse("The bridge stands before a SCIM server{{with .url}} at {{.}}{{end}}, which does not answer as " +
			"one{{with .reason}}: {{.}}{{end}}. Until it does, the identity provider gets 503, and sends its " +
			"requests again later."),
		remedy: parse("Make sure that the server runs, that the bridge's machine may reach it, and that the address " +
			"is its base address: on the bridge's machine, `curl -i {{with .url}}{{shell .}}{{else}}URL{{end}}" +
			"/ServiceProviderConfig` has to show an answer of the server, which may be a refusal. If its certificate " +
			"is from an authority of its own, name that with --account-ca-file. If the address is wrong, seal a " +
			"session for the right one and start the bridge with that. The server is asked again every 15 seconds: " +
			"otherwise no restart is needed."),
	},
	{
		code:  DirectoryTokenRefused,
		title: parse(`The SCIM server does not accept the bridge's token`),
		cause: parse("The SCIM server behind the bridge{{with .url}} ({{.}}){{end}} refused the token in the " +
			"session{{with .reason}}: {{.}}{{end}}. The token was revoked, has expired, or does not allow what the " +
			"identity provider asked for."),
		remedy: parse("Make a new token at the server, and seal it under the bearer token that is in use: " +
			"`scim-bridge session seal --directory {{with .url}}{{shell .}}{{else}}URL{{end}} --bearer-token-file " +
			"BEARER_TOKEN --previous SESSION -o SESSION`, with the server's new token on standard input, where " +
			"BEARER_TOKEN and SESSION are placeholders for the files of the bearer token and of the session. " +
			"Then start the bridge again. The identity provider's token stays the same."),
	},
	{
		code:  DirectoryRateLimited,
		title: parse(`The SCIM server limits the bridge's requests`),
		cause: parse("The SCIM server behind the bridge{{with .url}} ({{.}}){{end}} asks for fewer requests" +
			"{{with .reason}}: {{.}}{{end}}. The bridge waits as long as the server asks for; where that is too " +
			"long, the identity provider gets 429, and sends its requests again later."),
		remedy: parse("A first synchronisation sends many requests: if that is going on, wait for its end. Otherwise " +
			"raise the limit at the server, or have the identity provider synchronise less often. The problem clears " +
			"with the server's next answer."),
	},
	{
		code:  DirectoryCapabilityMissing,
		title: parse(`The SCIM server cannot do what the identity provider asks for`),
		cause: parse("The SCIM server behind the bridge{{with .url}} ({{.}}){{end}} cannot do something that the " +
			"identity provider asked for, and the bridge cannot do it in another way{{with .reason}}: {{.}}{{end}}."),
		remedy: parse("Switch off in the identity provider what the server cannot do, such as pushing groups, or " +
			"update the server. Then start the bridge again: until then the problem stays."),
	},
	{
		code:  DirectoryAttributeNotKept,
		title: parse(`The SCIM server does not keep all attributes`),
		cause: parse("The SCIM server behind the bridge{{with .url}} ({{.}}){{end}} was sent attributes that it does " +
			"not keep as they were sent{{with .attributes}}: {{.}}{{end}}. It keeps the others."),
		remedy: parse("Remove these attributes from the mapping in the identity provider, or configure the server to " +
			"keep them. If nobody needs them there, no action is needed. The problem clears a day after the first " +
			"such request, or when the bridge is started again."),
	},
	{
		code:  SignupDomainMissing,
		title: parse(`The domain of a changed e-mail address is not allowed for sign-up`),
		cause: parse("{{if .user_name}}The e-mail address of {{.user_name}}{{else}}The e-mail address of a " +
			"person{{end}} changed to {{if .domain}}the domain {{.domain}}{{else}}a domain{{end}} that is not " +
			"allowed for sign-up. No confirmation e-mail is sent."),
		remedy: parse("Add the domain below and run `terraform apply`. The confirmation e-mail is then sent, and the " +
			"address changes when the person confirms it."),
		terraform: parse(allowDomain),
	},
	{
		code: AddressMissing,
		title: parse("{{if eq .reason \"address_taken\"}}Two people have the same e-mail address{{else}}A " +
			"person has no e-mail address to invite{{end}}"),
		cause: parse("{{if eq .reason \"address_taken\"}}The identity provider gives " +
			"{{if .user_name}}{{.user_name}}{{else}}a person{{end}} {{with .email}}the address {{.}}{{else}}an " +
			"address{{end}}, which is the sign-in address of another person. " +
			"No invitation or confirmation is sent to it.{{else}}{{if .user_name}}{{.user_name}}{{else}}A " +
			"person{{end}} was provisioned but not invited: neither userName nor emails holds an e-mail " +
			"address.{{end}}"),
		remedy: parse("{{if eq .reason \"address_taken\"}}Give the two people different addresses in the identity " +
			"provider.{{else}}Map an e-mail address to userName or to emails in the identity provider.{{end}} The " +
			"e-mail is sent when the provider has sent the change."),
	},
	{
		code:  ConfirmationStuck,
		title: parse(`A person has not been confirmed`),
		cause: parse("{{if .user_name}}{{.user_name}}{{else}}A person{{end}} accepted the invitation, and the " +
			"bridge could not confirm it{{with .reason}}: {{.}}{{end}}."),
		remedy: parse("Solve other problems first: a bridge that cannot sign in cannot confirm. It retries at every " +
			"confirmation interval. If this problem remains without others, send the log to the support contact."),
	},
	{
		code: MembersUnknown,
		title: parse("{{if eq .reason \"refused\"}}A push of group members was refused{{else}}A push of group " +
			"members named unknown ids{{end}}"),
		cause: parse("The identity provider sent member ids that belong to no person or group{{with .group}}, for " +
			"{{.}}{{end}}{{with .ids}}: {{.}}{{end}}. " +
			"{{if eq .reason \"refused\"}}No id in the list was known, so the push was refused and the members are " +
			"unchanged.{{else}}They were ignored; the known ones were added.{{end}}"),
		remedy: parse("In the identity provider, assign the missing people to this application and push the group " +
			"again. If they are assigned, " +
			"the provider still has ids from another server or of deleted people: restart its " +
			"provisioning (Entra ID), or remove the people and " +
			"assign them again (Okta), so that it reads the current ids. The problem clears when a push of the whole " +
			"list has no unknown ids, or a day after the last one."),
	},
	{
		code:  SuspensionsHeld,
		title: parse(`Suspensions or removals from groups are held`),
		cause: parse("The identity provider takes away more at a time than {{if .data_dir}}the bridge's " +
			"`--suspension-limit`{{else}}the account's `suspension_limit`{{end}} allows. " +
			"{{if .suspensions}}Held are {{.count}}: {{.suspensions}} suspensions and {{.removals}} removals " +
			"from groups{{else}}The rest is held{{end}}{{with .oldest}}, the oldest since {{.}}{{end}}: the identity " +
			"provider sees them done, and the people keep their access and their groups."),
		remedy: parse("Find out whether the identity provider means it. If it does, approve them; if it does not, " +
			"correct it there: it takes a hold back when it sends the person as active, or as a member, again. " +
			"Approve or cancel them, singly or all, on this bridge's status page, or, " +
			"{{if .data_dir}}on the bridge's machine: `{{held .data_dir \"list\"}}`, " +
			"`{{held .data_dir \"approve --all\"}}` or `{{held .data_dir \"cancel --all\"}}`. A bridge that is " +
			"started with `--suspension-limit=off` approves all.{{else}}{{where .}}: " +
			"`{{holds .database \"list\"}}`, `{{holds .database \"approve --all\"}}` or " +
			"`{{holds .database \"cancel --all\"}}`. A higher `suspension_limit` of " +
			"`scimbridge_provisioning`, or `off`, and `terraform apply` approve as many as it " +
			"allows, the oldest first.{{end}}"),
	},
	{
		code: StorageFull,
		title: parse("{{if .data_dir}}The bridge's data folder cannot be written{{else}}The account's disk is " +
			"full{{end}}"),
		cause: parse("{{if and .data_dir .domain}}The bridge cannot store in {{.data_dir}} the certificate for " +
			"{{.domain}}, which it uses{{with .reason}}: {{.}}{{end}}. A restart would order another one, and " +
			"authorities limit how many they issue." +
			"{{else if and .data_dir .holds}}The bridge cannot read or write in {{.data_dir}} what it holds beyond " +
			"its `--suspension-limit`{{with .reason}}: {{.}}{{end}}. Until it can, it refuses SCIM requests: people " +
			"whose suspension is held would be shown as active." +
			"{{else if .data_dir}}The bridge cannot write to {{.data_dir}}{{with .reason}}: {{.}}{{end}}. " +
			"There it records that it has signed in, for which a deployment by Terraform waits, and keeps its " +
			"journal and its log; what it cannot write of these is in memory, as much as fits. " +
			"SCIM requests are not affected.{{else}}The account service cannot write: " +
			"the disk of its database{{with .database}} ({{.}}){{end}} is full, or its quota is used up. " +
			"Acknowledged changes are not lost; new ones are refused until there is space.{{end}}"),
		remedy: parse("{{if .data_dir}}On the bridge's machine, free space on that file system (`df -h " +
			"{{shell .data_dir}}` shows it), or give the bridge's user write access to the folder. " +
			"The bridge retries every {{if .domain}}minute{{else}}5 seconds{{end}}." +
			"{{else}}{{if isServer .database}}On the database server's machine, free space on the file systems of " +
			"its data and of its write-ahead log, or enlarge them: do not delete files of the server. A replication " +
			"slot that nobody reads keeps the log: `SELECT * FROM pg_replication_slots` shows it." +
			"{{else}}On the account's machine, free space on that file system{{with .database}} (`df -h " +
			"{{shell (path .)}}` shows it){{end}}: remove old logs and backups, or enlarge it. " +
			"Do not delete the database's -wal and -shm files.{{end}} No restart is needed: the " +
			"account then accepts changes again, and the bridge signs in again within 15 seconds.{{end}}"),
	},
	{
		code:  StorageLost,
		title: parse(`The account's database was deleted or replaced`),
		cause: parse("The database file that the account service has open is no longer at its " +
			"path{{with .database}} ({{.}}){{end}}: it was deleted, moved or replaced while the " +
			"service was running. Changes are refused, since they would be lost when the process ends."),
		remedy: parse("If the file was moved, move it back together with its -wal file. Otherwise stop the account " +
			"service, put a backup in its place with `scim-bridge account restore --database {{shell (or .database " +
			"\"" + DatabasePlaceholder + "\")}} BACKUP`, where {{if not .database}}" + DatabasePlaceholder +
			" is a placeholder for the value of the account service's --database, and {{end}}BACKUP is a placeholder " +
			"for the backup's file, and start the service again. " +
			"The bridge then signs in again within 15 seconds."),
	},
	{
		code:  Overloaded,
		title: parse(`The bridge has more connections than it can hold`),
		cause: parse("Clients opened more connections than the bridge's process can hold{{with .reason}} " +
			"({{.}}){{end}}{{with .count}}, {{.}} times recently{{end}}. " +
			`Connections without a valid token are closed first{{with .networks}}; by network: {{.}}{{end}}.`),
		remedy: parse("Allow only the identity provider's networks to reach the bridge, or limit connections per " +
			"client in a proxy in front of it. " +
			"A bridge holds 1024 connections if its process may open 1344 files: where the limit is lower (`ulimit " +
			"-n`), raise it and restart the bridge, " +
			"with LimitNOFILE=4096 in a systemd unit, or `docker run --ulimit nofile=4096`."),
	},
	{
		code: CertificateExpiring,
		title: parse("The certificate {{if .expired}}has expired{{else if and .url .reason}}could not be renewed" +
			"{{else}}expires soon{{end}}"),
		cause: parse("The certificate{{with .domain}} for {{.}}{{end}} {{if .expired}}expired{{else}}expires" +
			"{{end}}{{with .expires}} at {{.}}{{end}}{{if .expired}}: clients refuse it{{end}}." +
			"{{with .reason}} {{if $.url}}The last renewal failed{{else}}A newer one is not in use{{end}}: {{.}}." +
			"{{end}}"),
		remedy: parse("{{if .url}}" + getCertificate + "{{else}}Renew the certificate where it comes from. " +
			writeCertificate + "{{end}}"),
	},
	{
		code: CertificateInvalid,
		title: parse("{{if .missing}}There is no certificate yet{{else if .successor}}A newer certificate is not in " +
			"use{{else if .issuer}}The certificate's chain is " +
			"not complete{{else}}Clients refuse the certificate{{end}}"),
		cause: parse("{{if .missing}}The bridge got no certificate{{with .domain}} for {{.}}{{end}}" +
			"{{with .reason}}: {{.}}{{end}}. Clients are shown a temporary one, which they refuse." +
			"{{else if .successor}}The files do not hold a certificate that can be used: {{.reason}}. The old one " +
			"stays in use{{with .expires}}, and expires at {{.}}{{end}}." +
			"{{else if .issuer}}The file does not have the certificate of {{.issuer}}, and this machine does not " +
			"know it as a root. Many clients, identity providers among them, do not look for it elsewhere." +
			"{{else}}Clients refuse the certificate{{with .domain}} for {{.}}{{end}}{{with .reason}}: {{.}}{{end}}." +
			"{{end}}"),
		remedy: parse("{{if .url}}" + getCertificate + "{{else if .issuer}}Append the certificate of {{.issuer}} to " +
			"{{with .cert_file}}{{.}}{{else}}the file of --tls-cert-file{{end}}, and those of its own issuers up to " +
			"one that the clients trust; certbot's fullchain.pem has them. If it is the root of a private authority, " +
			"append that: clients ignore it. The " +
			"file is read every 5 seconds: no restart is needed.{{else}}" + writeCertificate + "{{end}}"),
	},
}
