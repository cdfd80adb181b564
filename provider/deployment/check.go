package deployment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/resourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"golang.org/x/mod/semver"
	"golang.org/x/net/idna"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A textValidator validates a text.
type textValidator func(string) error

func (textValidator) Description(context.Context) string         { return "must be well-formed" }
func (textValidator) MarkdownDescription(context.Context) string { return "must be well-formed" }

func (v textValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := v(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid value", err.Error())
	}
}

// tokenValidator refuses malformed bearer tokens. Its errors never quote the value.
type tokenValidator struct{}

func (tokenValidator) Description(context.Context) string         { return "must be a bearer token" }
func (tokenValidator) MarkdownDescription(context.Context) string { return "must be a bearer token" }

func (tokenValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	text := req.ConfigValue.ValueString()
	switch _, err := session.ParseToken(text); {
	case req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || err == nil:
	case strings.TrimSpace(text) == "":
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid token",
			fmt.Sprintf("%s is empty. Set it to the bearer token in bearer_token_wo, or to null.", req.Path))
	case strings.TrimSpace(text) != text:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid token",
			fmt.Sprintf("%s begins or ends with white space, as the content of a file may: "+
				"use trimspace(...).", req.Path))
	default:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid token", fmt.Sprintf("%s: %v.", req.Path, err))
	}
}

// The settings are validated exactly as `scim-bridge serve` does.

func validSession(text string) error {
	_, err := session.Parse(text)
	if mistake := session.Mistake(text); err != nil && mistake != "" {
		return &session.MistakeError{Setting: "session", Mistake: mistake}
	}
	return err
}

func validPublicURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("public_url must look like https://scim.example.com, without a user, a path, a query or a " +
			"fragment")
	}
	return nil
}

// validAccountURL does not quote an invalid URL, which may contain a password.
func validAccountURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("account_url must look like https://account.example.com, without a user, a query or a " +
			"fragment")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("account_url %q is not safe: use https (plain http is for loopback addresses)", text)
	}
}

func validSuspensionLimit(text string) error {
	if text == "" {
		return errors.New("suspension_limit must not be empty; leave it out for the default")
	}
	_, err := suspension.ParseLimit(text)
	return err
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func validTLSDomain(text string) error {
	_, err := hostName(text)
	return err
}

// hostName returns a host name in the form of DNS. A certificate by ACME is for a name of more than one label.
func hostName(text string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(text, "."))
	if _, isIP := netip.ParseAddr(text); err != nil || isIP == nil || !strings.Contains(ascii, ".") {
		return "", errors.New("tls_domain must be a host name such as scim.example.com, without a scheme, a port or " +
			"a *")
	}
	return ascii, nil
}

func validACMEEmail(text string) error {
	if strings.Count(text, "@") != 1 || strings.ContainsAny(text, " ,;:<>?") {
		return errors.New("acme_email must be an e-mail address, such as ops@example.com")
	}
	return nil
}

func validInterval(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 30*time.Second {
		return fmt.Errorf("%q must be a duration of at least 30s, for instance \"300s\"", text)
	}
	return nil
}

func validAddress(text string) error {
	if _, err := netip.ParseAddr(text); err != nil {
		return fmt.Errorf("%q must be an IP address of this machine", text)
	}
	return nil
}

// validVersion refuses what no build reports as its version, such as v1.2.3 or latest.
func validVersion(text string) error {
	if v := "v" + text; semver.Canonical(v)+semver.Build(v) != v {
		return fmt.Errorf("%q must be a version of the bridge, such as \"0.1.0\", without a v before it", text)
	}
	return nil
}

func validProxy(text string) error {
	_, err := firewall.ParseRange(text)
	return err
}

// ConfigValidators require one target.
func (r *deploymentResource) ConfigValidators(context.Context) []resource.ConfigValidator {
	var arguments []path.Expression
	for _, k := range kinds(Access{}) {
		arguments = append(arguments, path.MatchRoot(k.Name))
	}
	if len(arguments) == 1 { // the schema requires it
		return nil
	}
	return []resource.ConfigValidator{resourcevalidator.ExactlyOneOf(arguments...)}
}

// ValidateConfig refuses settings that contradict one another.
func (r *deploymentResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest,
	resp *resource.ValidateConfigResponse,
) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	k, ok := m.kind(kinds(Access{}))
	if resp.Diagnostics.HasError() || !ok || k.validate == nil || m.Settings.IsUnknown() {
		return
	}
	var s settingsModel
	if !m.Settings.IsNull() {
		resp.Diagnostics.Append(m.Settings.As(ctx, &s, basetypes.ObjectAsOptions{})...)
	}
	if err := s.check(); err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("settings").AtName("public_url"), "Contradictory settings",
			err.Error())
	}
	if err := k.validate(ctx, *k.value(&m.targetsModel), s); err != nil {
		resp.Diagnostics.Append(k.diagnose("Invalid target", err))
	}
}

// check refuses a public URL that the bridge would refuse beside a domain.
func (s settingsModel) check() error {
	if s.TLSDomain.ValueString() != "" && strings.HasPrefix(strings.ToLower(s.PublicURL.ValueString()), "http://") {
		return fmt.Errorf("public_url %q is plain HTTP, but with tls_domain the bridge has a certificate: write "+
			"https:// instead, or leave public_url out", s.PublicURL.ValueString())
	}
	return nil
}

// servesPlainHTTP reports whether the settings say that tokens cross a network by plain HTTP, and do not allow it.
// Unknown ones are left to the bridge.
func (s settingsModel) servesPlainHTTP() bool {
	unknown := s.PublicURL.IsUnknown() || s.InsecureHTTP.IsUnknown() || s.TLSDomain.IsUnknown()
	return !unknown && !s.InsecureHTTP.ValueBool() && s.TLSDomain.ValueString() == "" &&
		!strings.HasPrefix(strings.ToLower(s.PublicURL.ValueString()), "https://")
}
