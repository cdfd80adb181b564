package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// accountCommand is the account service and the commands that work on its
// database, which may run while the server does.
type accountCommand struct {
	Serve accountServeCommand `cmd:"" help:"Run the account service."`
	Init  accountInitCommand  `cmd:"" help:"Create an account and print its admin token, once."`
	Token struct {
		Create tokenCreateCommand `cmd:"" help:"Create an admin token and print it, once."`
		List   tokenListCommand   `cmd:"" help:"List admin tokens, without their secrets."`
		Revoke tokenRevokeCommand `cmd:"" help:"Revoke an admin token immediately."`
	} `cmd:"" help:"Admin tokens."`
	Firewall struct {
		Disable firewallDisableCommand `cmd:"" help:"Disable the firewall for a limited time, in an emergency."`
	} `cmd:"" help:"The account's firewall, to recover from a lock-out."`
	Holds struct {
		List    holdsListCommand    `cmd:"" help:"List held suspensions and removals from groups."`
		Approve holdsApproveCommand `cmd:"" help:"Carry out what is held."`
		Cancel  holdsCancelCommand  `cmd:"" help:"Let the people keep what they have."`
	} `cmd:"" help:"Suspensions beyond the limit, which are held."`
	Check   accountCheckCommand   `cmd:"" help:"Check the database for damage."`
	Copy    accountCopyCommand    `cmd:"" help:"Copy an account from SQLite to PostgreSQL, or back."`
	Backup  accountBackupCommand  `cmd:"" help:"Copy the database while it is in use, and check the copy."`
	Restore accountRestoreCommand `cmd:"" help:"Put a backup in the place of the database."`
	Audit   accountAuditCommand   `cmd:"" help:"Print the audit log as JSON lines, or verify that nobody changed it."`
	Mail    struct {
		List   mailListCommand   `cmd:"" default:"withargs" help:"List the account's mails, sent or not (the default)."`
		Send   mailSendCommand   `cmd:"" help:"Try the waiting mails now instead of at their next attempt."`
		Resend mailResendCommand `cmd:"" help:"Send mails again, with a fresh link if the old one is over."`
	} `cmd:"" help:"The account's mails: invitations and confirmations."`
}

// audited audits a change that the account refused, as it does for administrators' requests, and returns the error.
func audited(ctx context.Context, a *account.Account, command, object string, err error) error {
	refused, ok := errors.AsType[*account.Error](err)
	if !ok {
		return err
	}
	if !inputtext.IsOpaqueID(object) { // such as an e-mail address
		object = ""
	}
	return errors.Join(err, a.AuditRefusal(ctx, account.RefusedChange{
		Operation: "scim-bridge " + command, Object: object, Status: refused.Status, Code: refused.Code,
	}))
}

type accountInitCommand struct {
	database
	Name string `required:"" help:"The account's name, shown in mails."`
}

// Help implements kong.HelpProvider.
func (accountInitCommand) Help() string {
	return `If standard output is not a terminal, only the token is printed.
If root creates the database, it belongs to the owner of its folder. A PostgreSQL database has to be there already,
and be empty. The password belongs in a password file (~/.pgpass, or the one that PGPASSFILE names), in PGPASSWORD or in
the address in SCIMBRIDGE_DATABASE: other users of the machine can read a command line.

  scim-bridge account init --database sqlite:account.db --name Example > admin-token
  scim-bridge account init --database postgres://scimbridge@db.example.com/account --name Example > admin-token`
}

// Run creates the account and its first token in one transaction: an account
// without a token could not be used.
func (c *accountInitCommand) Run(ctx context.Context, console *console) error {
	path := strings.TrimPrefix(c.Database, "sqlite:")
	if !c.isOnServer() && session.Misplaced(path) {
		return session.FileError("--database", path, fs.ErrNotExist)
	}
	s, err := openStore(ctx, c.Database)
	if err != nil {
		return c.explainOpening(err)
	}
	var a *account.Account
	var secret string
	err = s.Write(ctx, func(ctx context.Context, _ *store.Tx) error {
		if a, err = account.Create(ctx, s, c.Name, time.Now, rand.Reader); err != nil {
			return err
		}
		_, secret, err = a.CreateToken(ctx, "account init")
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	return console.secret(secret, "Created the account %q (%s). Its admin token, shown only once:", a.Name, a.ID)
}

type tokenCreateCommand struct {
	database
	Name    string   `required:"" help:"What the token is for."`
	Scope   string   `enum:"admin,read" default:"admin" help:"Scope: read, enough for terraform plan, or admin."`
	Expires lifetime `placeholder:"90d" help:"Lifetime, such as 90d or 12h; none by default."`
}

// A lifetime is a duration that can also be given in days.
type lifetime time.Duration

// mostDays is ten years, the account's limit.
const mostDays = 10 * 366

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *lifetime) UnmarshalText(text []byte) error {
	days, inDays := strings.CutSuffix(string(text), "d")
	n, err := strconv.Atoi(days)
	d := time.Duration(min(n, mostDays+1)) * 24 * time.Hour // more days would overflow
	if !inDays || err != nil {
		d, err = time.ParseDuration(string(text))
	}
	if err != nil || d <= 0 || d > mostDays*24*time.Hour {
		return errors.New("expected a lifetime of at most ten years, such as 90d or 12h")
	}
	*l = lifetime(d)
	return nil
}

// Help implements kong.HelpProvider.
func (tokenCreateCommand) Help() string {
	return `A token with the scope read may use all GETs and evaluations; one with the scope admin may do everything.

  scim-bridge account token create --database sqlite:account.db --name "plan in CI" --scope read --expires 90d`
}

// Run creates a token.
func (c *tokenCreateCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		in := account.TokenInput{Name: c.Name, Scope: c.Scope}
		if c.Expires > 0 {
			in.ExpiresAt = time.Now().Add(time.Duration(c.Expires))
		}
		t, secret, err := a.IssueToken(ctx, in)
		if err != nil {
			return audited(ctx, a, "account token create", "", err)
		}
		return console.secret(secret, "The admin token %q (%s, scope %s, expires: %s), shown only once:",
			t.Name, t.ID, t.Scope, cmp.Or(stamp(t.ExpiresAt), "never"))
	})
}

type tokenListCommand struct {
	database
	asLines
}

// Help implements kong.HelpProvider.
func (tokenListCommand) Help() string {
	return `For instance:

  scim-bridge account token list --database sqlite:account.db
  scim-bridge account token list --database sqlite:account.db --json | jq -r 'select(.expires_at == null).name'`
}

// Run lists tokens.
func (c *tokenListCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		list := c.list(console, "ID", "NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED")
		for cursor := ""; ; {
			page, err := a.Tokens(ctx, cursor, 100)
			if err != nil {
				return err
			}
			for _, t := range page.Items {
				list.add(server.ToToken(t), t.ID, t.Name, t.Scope, stamp(t.CreatedAt),
					cmp.Or(stamp(t.ExpiresAt), "never"), cmp.Or(stamp(t.LastUsedAt), "never"))
			}
			if cursor = page.Next; cursor == "" {
				return list.end()
			}
		}
	})
}

type tokenRevokeCommand struct {
	database
	ID string `arg:"" help:"The token's id, as shown by token list."`
}

// Help implements kong.HelpProvider.
func (tokenRevokeCommand) Help() string {
	return `For instance:

  scim-bridge account token revoke --database sqlite:account.db ID`
}

// Run revokes a token.
func (c *tokenRevokeCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		if err := a.RevokeToken(ctx, c.ID); err != nil {
			return audited(ctx, a, "account token revoke", c.ID, err)
		}
		_, err := fmt.Fprintf(console.Out, "Revoked the admin token %s.\n", c.ID)
		return err
	})
}

type firewallDisableCommand struct {
	database
	For        time.Duration `required:"" help:"For how long, at most 24h; 0s enforces the firewall again."`
	IPDatabase []string      `name:"ip-database" placeholder:"FILE" help:"MMDB file of the account; repeatable."`
}

// Help implements kong.HelpProvider.
func (firewallDisableCommand) Help() string {
	return `Works beside a running server, which sees it with its next request. It is audited, changes no rule, and
ends by itself. It prints which callers the firewall will block then, among the live bridges and the bridges
and administrators that were refused within the last hour, and the rule that lets them in. For rules on countries
or anonymous addresses it needs the --ip-database files of the account service.

  scim-bridge account firewall disable --database sqlite:account.db --for 1h`
}

// Run disables the firewall and prints the problem that the bridge's status
// page shows from then on.
func (c *firewallDisableCommand) Run(ctx context.Context, console *console) error {
	databases, err := openIPDatabases(c.IPDatabase)
	if err != nil {
		return err
	}
	return c.with(ctx, func(a *account.Account) error {
		a.IPData = databases
		disabled, err := a.DisableFirewall(ctx, c.For)
		if err != nil {
			return audited(ctx, a, "account firewall disable", "", err)
		}
		if disabled == nil {
			_, err = fmt.Fprintln(console.Out, "The firewall is enforced again.")
			return err
		}
		if _, err := fmt.Fprintf(console.Out, "The firewall is disabled until %s.\n",
			stamp(disabled.Until)); err != nil {
			return err
		}
		answer := server.ToHeartbeatAnswer(account.HeartbeatAnswer{Disabled: disabled})
		now := a.Time()
		facts := connector.ToFirewallDisabled(answer, nil, now).Facts
		printProblems(console.Out, []problem.Problem{problem.New(problem.FirewallDisabled, now, facts)})
		if disabled.Unknown != nil {
			_, err = fmt.Fprintf(console.Out, "\nWhich callers the firewall will block then could not be determined: "+
				"%v.\n",
				disabled.Unknown)
		}
		return err
	})
}

// secret prints a secret: with an explanation on a terminal, alone in a pipe.
func (c *console) secret(secret, explanation string, args ...any) error {
	text := secret + "\n"
	if isTerminal(c.Out) {
		text = fmt.Sprintf(explanation, args...) + "\n\n    " + secret + "\n\nStore it with your other secrets: " +
			"the account keeps only its digest.\n"
	}
	_, err := io.WriteString(c.Out, text)
	return err
}

// stamp formats a time for output; the zero time is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
