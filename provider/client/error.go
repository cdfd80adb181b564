package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// NotFound reports whether the object itself is gone. A 404 without a code comes
// from something else at that address, and says nothing about the object.
func NotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound && e.Problem.Code != ""
}

// unknownError stops a call that cannot be made before an apply.
type unknownError struct{ arguments []string }

func (e *unknownError) Error() string {
	return "not known yet in the provider block: " + strings.Join(e.arguments, ", ")
}

// Diagnose makes a diagnostic of an error: a short title, what was tried, what
// the account said, what to do. tried completes "Cannot ...".
func (c *Client) Diagnose(tried string, err error) diag.Diagnostic {
	title := "Cannot " + tried
	where := ""
	if c.URL != "" {
		where = " at " + c.URL
	}
	lines := []string{fmt.Sprintf("Tried to %s%s.", tried, where)}
	if errors.Is(err, context.Canceled) {
		lines = append(lines, "Terraform interrupted it.")
		return diag.NewErrorDiagnostic(title, strings.Join(lines, "\n"))
	}
	if away, ok := errors.AsType[*awayError](err); ok {
		return diag.NewErrorDiagnostic(title, sentence(away.Error()))
	}
	lines = append(lines, sentence(withoutURL(err)))
	if e, ok := errors.AsType[*Error](err); ok && e.Problem.Code == api.ErrorCodeWouldLockOut {
		lines = append(lines, describeLockout(e))
	}
	if remedy := c.remedy(err); remedy != "" {
		lines = append(lines, "", remedy)
	}
	return diag.NewErrorDiagnostic(title, strings.Join(lines, "\n"))
}

// describeLockout says whom a firewall change would shut out, from where and by what.
func describeLockout(e *Error) string {
	d := e.Details()
	whom := "whoever runs Terraform"
	if deref(d.Who) == "bridge" {
		whom = fmt.Sprintf("the bridge %q", deref(d.Instance))
	}
	by := "the account's default action"
	if rule := deref(d.RuleId); rule != "" {
		by = fmt.Sprintf("rule %q", rule)
		if known := d.Rule; known != nil {
			by += fmt.Sprintf(" (%q, priority %d)", known.Description, known.Priority)
		}
	}
	return fmt.Sprintf("Shut out: %s, at %s. Decided by: %s.", whom, deref(d.Address), by)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (c *Client) remedy(err error) string {
	if _, ok := errors.AsType[*unknownError](err); ok {
		return "Make what the provider block depends on first, for instance with terraform apply -target."
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, context.DeadlineExceeded) {
		return "Check that the account service runs, and that account_url is its address. request_timeout bounds a call, " +
			"its repetitions included."
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return remedyOf(e)
	}
	return ""
}

func remedyOf(e *Error) string {
	switch {
	case e.Foreign != "" && e.Status == http.StatusNotFound:
		return "Check account_url: what answers there does not know the account API."
	case e.Foreign != "" && failed(e.Status):
		return "A proxy or a load balancer stands before the account, and does not reach it: " +
			"check that the account service runs, and that it is let through."
	case e.Foreign != "":
		return "Check account_url: a proxy or another service answers there."
	case e.Problem.Code == api.ErrorCodeWouldLockOut:
		return "Nothing was changed. Let the address in first, by an allow rule with a lower priority number: " +
			"one of the same configuration must be named in depends_on here, or both belong in a scimbridge_firewall_policy, " +
			"which is written at once. Set allow_lockout = true if shutting it out is meant."
	case e.Problem.Code == api.ErrorCodeFirewallBlocked:
		return letIn(e)
	case e.Problem.Code == api.ErrorCodeVersionMismatch, e.Problem.Code == api.ErrorCodeEpochMoved:
		return "Somebody changed it at the same moment. Run terraform apply again: it starts from what is there now."
	case e.Status == http.StatusUnauthorized:
		return "Check account_token (or SCIMBRIDGE_ACCOUNT_TOKEN). On the account's machine, " +
			"scim-bridge account token create makes a new one."
	case e.Problem.Code == api.ErrorCodeStorageFull, e.Problem.Code == api.ErrorCodeStorageLost:
		remedy := "That is to be put right on the account's machine; then run terraform apply again."
		if database := deref(e.Details().Database); database != "" {
			remedy = "The database is " + database + ". " + remedy
		}
		return remedy
	case !e.Problem.Code.Valid():
		return fmt.Sprintf("This provider does not know the code %q: the account service may be of a later version. "+
			"Update the provider, or go by what the account says.", e.Problem.Code)
	case e.Status >= 500:
		return "The fault is the account's. Its log has the request id; try again later."
	}
	return ""
}

// letIn says how whoever runs Terraform gets past the account's firewall,
// which may have shut out the bridge as well.
func letIn(e *Error) string {
	database := deref(e.Details().Database)
	text := "The account's firewall does not let in the machine that runs Terraform. " +
		"Run it from an address that is let in. Or lift the firewall for an hour on the account's machine, " +
		"apply an allow rule that comes before the one that denies, and let the firewall come back:\n\n    " +
		problem.DisableFirewall(database, "1h")
	if database == "" {
		text += "\n\n" + problem.DatabasePlaceholder + " is a placeholder: the account service was started with it as " +
			"--database."
	}
	return text
}

// sentence makes an error text, which is lower case and without a stop, fit
// for a paragraph.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
