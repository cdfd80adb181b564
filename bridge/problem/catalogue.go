package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"unicode"
)

// An Entry is what the catalogue says of one code.
type Entry struct {
	Code      Code
	Title     string
	Cause     string
	Remedy    string // imperative and concrete
	Terraform string // a block, or empty
}

// Catalogue returns an entry for every code, in the order of the codes, worded
// as if no facts were known: for documentation.
func Catalogue() []Entry {
	all := make([]Entry, len(catalogue))
	for i, t := range catalogue {
		all[i] = t.render(nil)
	}
	return all
}

// describe renders the entry of code. A code from outside the catalogue (a
// newer bridge told it) is shown as it is rather than dropped.
func describe(code Code, facts Facts) Entry {
	for _, t := range catalogue {
		if t.code == code {
			return t.render(facts)
		}
	}
	return Entry{
		Code:   code,
		Title:  string(code),
		Cause:  "This version does not know the problem; a newer one reported it.",
		Remedy: "Read the bridge's log, or update this program.",
	}
}

// An entry is an Entry's templates over Facts.
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
	if t == nil { // most problems have no Terraform block
		return ""
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]string(facts)); err != nil {
		// Only a fault in a template below can bring us here; the tests render them all.
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
		"where":     whereToRun,
		"unseal":    unsealCommand,
		"ping":      func(url string) string { return strings.TrimSuffix(url, "/") + "/ping" },
		"name":      blockName,
		"cloud":     cloudKinds,
		"quoted":    quoteList,
		"shell":     quoteShell,
		"path":      databasePath,
	}).Parse(s))
}

func unsealCommand(dataDir string) string {
	return "scim-bridge unseal " + quoteShell(cmp.Or(dataDir, "DATA_DIR"))
}

// anonymousKinds are the kinds of anonymous addresses; the first is a cloud
// provider's.
var anonymousKinds = []string{"cloud_provider", "vpn", "tor", "public_proxy"}

// cloudKinds splits a FactAnonymous, which may be missing.
func cloudKinds(fact string) []string {
	if fact == "" {
		return anonymousKinds[:1]
	}
	return strings.Split(fact, ", ")
}

// otherKinds are the kinds of anonymous addresses that fact has not.
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

// quoteHCL writes s as a quoted HCL string. Facts come from outside, from
// e-mail addresses for one: a block that people paste must not contain an
// interpolation from outside.
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

// quoteShell writes s as one word for a POSIX shell.
func quoteShell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/:._-=@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// databasePath is the file that a FactDatabase names.
func databasePath(setting string) string { return strings.TrimPrefix(setting, "sqlite:") }

// blockName makes a Terraform resource name of a host name.
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

// orInPolicy is for configurations whose rules are one resource.
const orInPolicy = "(or add it to the `rules` of the scimbridge_firewall_policy that manages them)"

// makeRoom goes before the advice to add an allow rule.
const makeRoom = "{{if first .}}{{rule . | title}} has the lowest priority there is, and no rule can be placed " +
	"before it: give it the priority 1 where it is managed, {{if move .}}or let the import below do that, " +
	"{{end}}since the block below takes the 0. {{end}}"

// liftFirst goes after it: Terraform may be shut out by the same rule.
const liftFirst = "If Terraform is shut out too, first lift the firewall for an hour, {{where .}}: " +
	"`{{disable .database \"1h\"}}`. "

const allowDomain = `
resource "scimbridge_signup_domain" "{{name .domain}}" {
  domain = {{if .domain}}{{hcl .domain}}{{else}}"<the domain>"{{end}}
}`

// activateAnew heals everything that made the sealed credentials useless: a
// rotation or a new activation makes new ones.
const activateAnew = "Run `terraform apply`: the provisioning integration is activated anew and the bridge is " +
	"redeployed with new credentials. The bearer token must be given (bearer_token_wo), since the new session is " +
	"sealed under it. A bridge that Terraform did not deploy must be given the new `session` of " +
	"scimbridge_provisioning, and be started again."

var catalogue = []entry{
	{
		code:  Sealed,
		title: parse(`The bridge is sealed`),
		cause: parse("The bridge has started, and nobody has shown it the bearer token since. Only the token opens " +
			"the session, and the bridge keeps no copy of it." +
			`{{with .reason}} The token file that it was started with does not open it: {{.}}.{{end}}`),
		remedy: parse("{{if .reason}}Put the present bearer token into {{if .setting}}{{.setting}} and start the bridge " +
			"again. {{else}}that file; the bridge looks again every 5 seconds. {{end}}Or do one of these: {{end}}" +
			"Send any SCIM request with the bearer token (the identity provider's next one will do), sign in to the " +
			"status page with it, or run `{{unseal .data_dir}}` " +
			"on the bridge's machine, with the token on standard input{{if not .data_dir}}, where DATA_DIR is a " +
			"placeholder for the folder that the bridge was started with as --data-dir{{end}}. " +
			"Where Terraform deployed the bridge, `terraform apply` does it, too, if the token is given as " +
			"unseal_token_wo of the scimbridge_deployment. " +
			"To have restarts unsealed without a person, set unseal = \"stored\" there, or start the bridge with " +
			"--unseal-token-file."),
	},
	{
		code: TokenRejected,
		title: parse("{{if eq .previous \"true\"}}The identity provider still uses the old token{{else}}A wrong " +
			"bearer token was refused{{end}}"),
		cause: parse("{{if eq .previous \"true\"}}A client sent the bearer token of the previous pair, whose overlap " +
			"has ended{{with .expires}} ({{.}}){{end}}" +
			`{{else}}A client sent a well-formed bearer token that does not belong to this bridge's session{{end}}` +
			`{{with .count}}, {{.}} times{{end}}{{with .networks}}; by network: {{.}}{{end}}.` +
			`{{if eq .foreign "true"}} The identity provider's own requests are accepted meanwhile.{{end}}`),
		remedy: parse("{{if eq .foreign \"true\"}}Compare the networks with your identity provider's. If they are " +
			"not its own, nothing needs to be done: anybody can make up such a token, and none opens anything. " +
			"To be rid of them, let only the identity provider's networks reach the bridge. If they are its own, " +
			"enter the present bearer token there too." +
			`{{else}}Enter the present bearer token in the identity provider. If it is lost, ` +
			`give a new one to bearer_token_wo of scimbridge_provisioning and run ` + "`terraform apply`" +
			`; both tokens work during the overlap.{{end}} The problem passes an hour after the last of them.`),
	},
	{
		code:  SessionUnreadable,
		title: parse(`The session cannot be read`),
		cause: parse("{{if .reason}}The bridge's session does not open: {{.reason}}.{{else}}The session file is " +
			"missing, cut short, damaged, or sealed under another bearer token.{{end}}"),
		remedy: parse("{{if .setting}}Correct {{.setting}} and start the bridge again. The account keeps the sealed " +
			"session: `terraform apply` gives it to a bridge that it deployed.{{else}}Run `terraform apply`, with " +
			"the bearer token as unseal_token_wo of the scimbridge_deployment: the account keeps the sealed session, " +
			"and the bridge is given it again. A bridge that Terraform did not deploy looks every 5 seconds whether " +
			"somebody has put the `session` of scimbridge_provisioning in the file's place. If the token that opens " +
			"it is lost, give a new one to bearer_token_wo of scimbridge_provisioning in the same run.{{end}}"),
	},
	{
		code:  CredentialsChanged,
		title: parse(`The Provision Manager's credentials no longer work`),
		cause: parse(`The account refused the sealed credentials{{with .reason}} ({{.}}){{end}}. ` +
			`{{if eq .reason "credentials_expired"}}They belong to the previous pair, whose overlap is over.` +
			"{{else if eq .reason \"\"}}The Provision Manager's Master Password, Secret Key or e-mail address was " +
			"changed after activation, or two-factor authentication was enforced." +
			"{{else}}The Provision Manager's Master Password, Secret Key or e-mail address was changed after " +
			"activation.{{end}}"),
		remedy: parse(activateAnew),
	},
	{
		code:  TwoFactorEnforced,
		title: parse(`Two-factor authentication was enforced after activation`),
		cause: parse("The account now asks for a second factor, which the bridge does not have. An integration that " +
			"was activated before the policy is not exempt from it."),
		remedy: parse(activateAnew + " Being made under the policy, the new integration is exempt."),
	},
	{
		code:  ProvisioningInactive,
		title: parse(`Provisioning is not active`),
		cause: parse("The account has no active provisioning integration for this session: it was deactivated, or " +
			"activated anew elsewhere."),
		remedy: parse(activateAnew),
	},
	{
		code:  FirewallBlocked,
		title: parse(`The account's firewall blocks the bridge`),
		cause: parse(`{{if .address}}The account sees the bridge at {{.address}}, and ` +
			`{{if .rule_id}}{{rule .}} denies that address` +
			"{{with .country}} (country {{.}}){{end}}{{with .continent}} (continent " +
			"{{.}}){{end}}{{with .anonymous_ips}} ({{.}}){{end}}.{{else}}no firewall rule matches that address: the " +
			"default action denies it.{{end}}" +
			"{{else}}A firewall rule denies the bridge's address, or none matches it and the default action " +
			"does.{{end}}"),
		remedy: parse("Run `terraform plan`: a managed rule that was changed by hand shows there, and `terraform " +
			"apply` puts it back. Otherwise add the rule below " + orInPolicy + " and apply it. " +
			"{{if and .rule_id (not .rule_priority)}}An allow rule has priority 100 unless it names one: if that of " +
			"rule {{.rule_id}} is 100 or lower, give the new rule a lower one still. {{end}}" +
			makeRoom + liftFirst + "The bridge signs in again by itself within 15 seconds."),
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
			"{{if not .rule_priority}}, with a lower priority than the deny rule has{{end}}. " + makeRoom +
			"Otherwise {{if other .}}remove {{quoted (cloud .anonymous_ips)}} from anonymous_ips of " +
			"{{if .rule_id}}rule {{.rule_id}}{{else}}that rule{{end}}, as in the comment below; if it names nothing " +
			"else, remove it{{else}}remove rule {{.rule_id}}, which names nothing else{{end}}. " +
			"Then run `terraform apply`. " + liftFirst + "The bridge signs in again by itself within 15 seconds."),
		terraform: parse(allowBridge + "{{other .}}"),
	},
	{
		code:  FirewallDisabled,
		title: parse(`The account's firewall is switched off`),
		cause: parse("Somebody used the break-glass on the account's machine{{with .expires}}; it holds until " +
			"{{.}}{{end}}. No rule is deleted, and none is enforced. " +
			"{{if .blocked}}When the firewall comes back, it will block {{.blocked}}.{{else if .checked}}When the " +
			"firewall comes back, it will block no bridge at work, and no administrator who was seen since.{{end}}"),
		remedy: parse("{{if .blocked}}Before that, add the rule below " + orInPolicy + " and run `terraform apply`. " +
			makeRoom +
			"{{else if not .checked}}Correct the rules that made it necessary. `terraform plan` shows those that " +
			"differ from what Terraform manages, and no others. {{end}}" +
			"The firewall comes back by itself{{with .expires}} at {{.}}{{end}}, or at once, {{where .}}, by " +
			"`{{disable .database \"0s\"}}`."),
		terraform: parse("{{if .blocked}}" + allowBridge + "{{end}}"),
	},
	{
		code: AccountUnreachable,
		title: parse("{{if .answered}}Something else answers in the account's place{{else if .refused}}The account " +
			"answers with an error{{else}}The account cannot be reached{{end}}"),
		cause: parse("{{if .answered}}What answers{{with .url}} at {{.}}{{end}} is not the account service: " +
			"{{.answered}}." +
			`{{else if .refused}}The account service{{with .url}} at {{.}}{{end}} {{.refused}}.` +
			"{{else}}No answer from the account service{{with .url}} at {{.}}{{end}}{{with .reason}}: " +
			"{{.}}{{end}}.{{end}}"),
		remedy: parse("{{if .answered}}A proxy, a load balancer or another service stands at that address or before " +
			"it: let it pass the account's paths (/v1/...) through, or correct the account's URL" +
			"{{with .url}}; an account answers `curl -i {{shell (ping .)}}` with 204{{end}}. " +
			"{{else if .refused}}The account service's log has the reason, under the request id if one is named. If " +
			"its version is another one than the bridge's, bring both to the same. " +
			"{{else}}Check that the account service runs, that its name resolves and that its certificate is trusted " +
			"on the bridge's machine{{with .url}} (`curl -i {{shell (ping .)}}` shows it){{end}}. {{end}}" +
			"The bridge keeps trying and needs no restart; SCIM requests are answered with 503 until then."),
	},
	{
		code:  SignupDomainMissing,
		title: parse(`A changed e-mail address waits for its domain to be allowed`),
		cause: parse("{{if .user_name}}The e-mail address of {{.user_name}}{{else}}Somebody's e-mail " +
			"address{{end}} changed to {{if .domain}}the domain {{.domain}}{{else}}a domain{{end}}, which is not " +
			"allowed for sign-up, so no confirmation e-mail is sent."),
		remedy: parse("Add the domain below and run `terraform apply`: the confirmation e-mail goes out by " +
			"itself, and the address changes when the person confirms it."),
		terraform: parse(allowDomain),
	},
	{
		code: AddressMissing,
		title: parse("{{if eq .reason \"address_taken\"}}A person's e-mail address is somebody else's{{else}}A " +
			"person has no e-mail address to invite{{end}}"),
		cause: parse("{{if eq .reason \"address_taken\"}}The identity provider gives " +
			"{{if .user_name}}{{.user_name}}{{else}}somebody{{end}} {{with .email}}the address {{.}}{{else}}an " +
			"address{{end}}, which is already somebody else's sign-in address; so nobody is invited or moved there." +
			"{{else}}Provisioned, but not invited: {{if .user_name}}{{.user_name}}{{else}}somebody{{end}}. Neither " +
			"userName nor emails holds an e-mail address.{{end}}"),
		remedy: parse("{{if eq .reason \"address_taken\"}}Give the two people different addresses in the identity " +
			"provider.{{else}}Map an e-mail address to userName or to emails in the identity provider.{{end}} The " +
			"e-mail goes out by itself when the provider has sent it."),
	},
	{
		code:  ConfirmationStuck,
		title: parse(`A person has not been confirmed`),
		cause: parse("{{if .user_name}}{{.user_name}}{{else}}A person{{end}} accepted the invitation, and the " +
			"bridge could not confirm it{{with .reason}}: {{.}}{{end}}."),
		remedy: parse("Look for other problems first: a bridge that cannot sign in cannot confirm. It tries again at " +
			"every confirmation interval. If this stays alone, send the support contact the log."),
	},
	{
		code: MembersUnknown,
		title: parse("{{if eq .reason \"refused\"}}A push of group members was refused{{else}}A push of group " +
			"members named unknown ids{{end}}"),
		cause: parse("The identity provider sent member ids that no person or group has{{with .group}}, to " +
			"{{.}}{{end}}{{with .ids}}: {{.}}{{end}}. " +
			"{{if eq .reason \"refused\"}}Nobody in the list was known, so it was refused and the members of before " +
			"stay.{{else}}They were passed over, and the others joined.{{end}}"),
		remedy: parse("In the identity provider, assign the missing people to this application and push the group " +
			"again. If they are assigned, " +
			"the provider remembers ids of another server or of people who were deleted since: restart its " +
			"provisioning (Entra ID) or remove and " +
			"assign the people anew (Okta), so that it learns the present ids. The problem passes when the group's " +
			"whole list of members comes without such ids, and else a day after the last of them."),
	},
	{
		code: StorageFull,
		title: parse("{{if .data_dir}}The bridge's data folder cannot be written{{else}}The account's disk is " +
			"full{{end}}"),
		cause: parse("{{if .data_dir}}The bridge cannot keep in {{.data_dir}} that it has signed in{{with .reason}}: " +
			"{{.}}{{end}}. Terraform waits for that when it deploys; SCIM requests are carried out." +
			"{{else}}The account service cannot keep anything: the disk that holds its database{{with .database}} " +
			"({{.}}){{end}} has no room, or its quota is used up. " +
			"Nothing that was acknowledged is lost; changes are refused until there is room.{{end}}"),
		remedy: parse("{{if .data_dir}}On the bridge's machine, make room on that file system (`df -h " +
			"{{shell .data_dir}}` shows it), or let the bridge's user write to the folder. The bridge tries again " +
			"every 5 seconds." +
			"{{else}}On the account's machine, make room on that file system{{with .database}} (`df -h " +
			"{{shell (path .)}}` shows it){{end}}: remove old logs and backups, or enlarge it. " +
			"Do not delete the files of the database that end in -wal and -shm. Nothing need be restarted: the " +
			"account takes changes again by itself, and the bridge signs in again within 15 seconds.{{end}}"),
	},
	{
		code:  StorageLost,
		title: parse(`The account's database was deleted or replaced`),
		cause: parse("The account service has a database file open that is no longer the one at its " +
			"path{{with .database}} ({{.}}){{end}}: it was deleted, moved away or replaced by another file while the " +
			"service ran. Changes are refused, since they would be lost when the process ends."),
		remedy: parse("If the file was moved away, move it back, together with its -wal file. Else stop the account " +
			"service, put a backup in its place, without a -wal file, " +
			"{{with .database}}check it with `scim-bridge account check --database {{shell .}}` {{end}}and start the " +
			"service again. The bridge signs in again within 15 seconds after that."),
	},
	{
		code:  Overloaded,
		title: parse(`The bridge has more connections than it can hold`),
		cause: parse("Clients opened more connections than the bridge's process may have{{with .reason}} " +
			"({{.}}){{end}}{{with .count}}, {{.}} times lately{{end}}. " +
			`Those on which no valid token was shown are closed first{{with .networks}}; by network: {{.}}{{end}}.`),
		remedy: parse("Let only the identity provider's networks reach the bridge, or have a proxy in front of it " +
			"limit connections for each client. " +
			"A bridge holds 1024 connections if its process may open 1344 files: where the limit is lower (`ulimit " +
			"-n`), raise it and restart the bridge, " +
			"with LimitNOFILE=4096 in a systemd unit, or `docker run --ulimit nofile=4096`."),
	},
}
