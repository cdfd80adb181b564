package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// NotFound reports whether the object does not exist. A 404 without a code is not from
// the account.
func NotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound && e.Problem.Code != ""
}

// unknownError is the error of calls before the provider block is known.
type unknownError struct{ arguments []string }

func (e *unknownError) Error() string {
	return "not known yet in the provider block: " + strings.Join(e.arguments, ", ")
}

// Diagnose returns a diagnostic for an error: a short title, what was tried, the
// account's answer, and the remedy. Tried completes "Cannot ...".
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
		text := sentence(away.Error()) + " " + certificateRemedy(away.first)
		return diag.NewErrorDiagnostic(title, strings.TrimSpace(text))
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

// describeLockout describes who would be locked out by a firewall change, at which address
// and by which rule.
func describeLockout(e *Error) string {
	d := e.Details()
	subject := "the machine that runs Terraform"
	if deref(d.Who) == "bridge" {
		subject = fmt.Sprintf("the bridge %q", deref(d.Instance))
	}
	by := "the account's default action"
	if rule := deref(d.RuleId); rule != "" {
		by = fmt.Sprintf("rule %q", rule)
		if known := d.Rule; known != nil {
			by += fmt.Sprintf(" (%q, priority %d)", known.Description, known.Priority)
		}
	}
	return fmt.Sprintf("Locked out: %s, at %s, by %s.", subject, deref(d.Address), by)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (c *Client) remedy(err error) string {
	if _, ok := errors.AsType[*unknownError](err); ok {
		return "First create what the provider block depends on, for instance with terraform apply -target."
	}
	if remedy := certificateRemedy(err); remedy != "" {
		return remedy
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, context.DeadlineExceeded) {
		return "Check that the account service runs and that account_url is its address. " +
			"request_timeout limits a call, including its repetitions."
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return remedyOf(e)
	}
	return ""
}

// certificateRemedy returns what to do if the account's certificate is the reason of an error.
func certificateRemedy(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "This machine does not know the authority that issued the account's certificate. If it is a private " +
			"one, set ca_certificate_pem in the provider block to its root certificate, in PEM form; if that is " +
			"set, it is another authority's, or the account does not send the intermediate certificates."
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "The account's certificate is for another name: write that name in account_url, or give the account a " +
			"certificate for the one that is there."
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "The account's certificate has expired or is not valid yet: renew it, and compare the clocks of both " +
			"machines."
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "The service at account_url does not speak HTTPS there: check the port, or give the account a " +
			"certificate (--tls-cert-file of scim-bridge account serve)."
	}
	return ""
}

func remedyOf(e *Error) string {
	switch {
	case e.Foreign != "" && e.Status == http.StatusNotFound:
		return "Check account_url: the service at this address does not serve the account API."
	case e.Foreign != "" && failed(e.Status):
		return "A proxy or a load balancer in front of the account does not reach it: " +
			"check that the account service runs and that the proxy forwards requests to it."
	case e.Foreign != "":
		return "Check account_url: a proxy or another service answers there."
	case e.Problem.Code == api.ErrorCodeWouldLockOut:
		return "Nothing was changed. First allow the address by a rule with a lower priority number: " +
			"name a rule of the same configuration in depends_on, or keep both in a scimbridge_firewall_policy, " +
			"which is written in one request. To lock it out intentionally, set allow_lockout = true."
	case e.Problem.Code == api.ErrorCodeFirewallBlocked:
		return allowCaller(e)
	case e.Problem.Code == api.ErrorCodeVersionMismatch, e.Problem.Code == api.ErrorCodeEpochMoved:
		return "It was changed at the same time outside this run. Run terraform apply again."
	case e.Status == http.StatusUnauthorized:
		return "Check account_token (or SCIMBRIDGE_ACCOUNT_TOKEN). On the account's machine, " +
			"scim-bridge account token create creates a new one."
	case e.Problem.Code == api.ErrorCodeStorageFull, e.Problem.Code == api.ErrorCodeStorageLost:
		remedy := "Correct this on the account's machine, then run terraform apply again."
		if database := deref(e.Details().Database); database != "" {
			remedy = "The database is " + database + ". " + remedy
		}
		return remedy
	case !e.Problem.Code.Valid():
		return fmt.Sprintf("This provider does not know the code %q: the account service may have a later version. "+
			"Update the provider, or follow the account's message.", e.Problem.Code)
	case e.Status >= 500:
		return "The account service failed. Its log has the reason under the request id; try again later."
	}
	return ""
}

// allowCaller returns the remedy for a firewall that blocks Terraform's address, and
// perhaps the bridge's as well.
func allowCaller(e *Error) string {
	database := deref(e.Details().Database)
	text := "The account's firewall blocks the machine that runs Terraform. " +
		"Run it from an allowed address. Or disable the firewall for an hour on the account's machine, " +
		"apply an allow rule with a lower priority than the deny rule, and enforce the firewall again:\n\n    " +
		problem.DisableFirewall(database, "1h")
	if database == "" {
		text += "\n\n" + problem.DatabasePlaceholder + " is a placeholder for the value of the account service's " +
			"--database."
	}
	return text
}

// sentence turns an error text into a sentence with a capital and a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
