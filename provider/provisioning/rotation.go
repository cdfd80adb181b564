package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// This file describes a rotation in the plan, whose diff shows only that epoch and session
// are unknown.

// An exchange is the replacement of a bearer token. Tokens are given by fingerprint.
type exchange struct {
	from, to  string   // to is empty if it is unknown
	retired   []string // fingerprints of tokens that were replaced before
	ephemeral bool     // the apply generates a new one
	unknown   bool
}

// changes reports whether the token changes, or may change.
func (e exchange) changes() bool { return e.unknown || e.ephemeral || e.to != e.from }

// stale reports whether the token was replaced before.
func (e exchange) stale() bool { return !e.ephemeral && e.to != "" && slices.Contains(e.retired, e.to) }

func (e exchange) String() string {
	switch {
	case e.unknown:
		return fmt.Sprintf("bearer_token_wo is not known before the apply. If it differs from the current token "+
			"(fingerprint %s), enter it in the identity provider.", e.from)
	case e.ephemeral:
		return fmt.Sprintf("The bearer token with fingerprint %s is replaced by a new one, which "+
			"scimbridge_bearer_token generates in the apply. Enter it in the identity provider.", e.from)
	case e.to == e.from:
		return fmt.Sprintf("The bearer token (fingerprint %s) does not change, so the identity provider needs "+
			"nothing.", e.from)
	}
	return fmt.Sprintf("The bearer token with fingerprint %s is replaced by the one with fingerprint %s. "+
		"Enter the new one in the identity provider.", e.from, e.to)
}

// describeRotation describes the reason for a rotation, the old and new tokens, how long
// the old ones stay valid, and what the identity provider needs.
func describeRotation(state, plan model, tokens exchange) (title, text string) {
	var lines []string
	title = "The provisioning credentials will be rotated"
	switch {
	case tokens.stale():
		title = "bearer_token_wo is an earlier token"
		lines = append(lines, fmt.Sprintf("bearer_token_wo is the token with fingerprint %s, which was replaced "+
			"by the current one (fingerprint %s, epoch %d). The apply would rotate back to it. To keep the current "+
			"token, set bearer_token_wo to it.",
			tokens.to, tokens.from, state.Epoch.ValueInt64()))
	case tokens.changes():
		title = "The bearer token will be rotated"
	}
	if !plan.ManagerEmail.IsUnknown() && !sameAddress(plan.ManagerEmail, state.ManagerEmail) {
		lines = append(lines, fmt.Sprintf("manager_email changes from %s to %s, to which the credentials are bound.",
			state.ManagerEmail.ValueString(), plan.ManagerEmail.ValueString()))
	}
	if versionDecides(state, plan) && !state.BearerTokenVersion.Equal(plan.BearerTokenVersion) {
		lines = append(lines, fmt.Sprintf("bearer_token_wo_version changes from %s to %s.", state.BearerTokenVersion,
			plan.BearerTokenVersion))
	}
	lines = append(lines, tokens.String(), fmt.Sprintf("The apply generates new credentials and a new session, which "+
		"replace those of epoch %d. ",
		state.Epoch.ValueInt64())+describeOverlap(plan, tokens))
	lines = append(lines, "Bridges need the new session: a scimbridge_deployment gets it if its session refers to "+
		"this resource.")
	return title, strings.Join(lines, "\n\n")
}

// describeOverlap describes how long the current credentials and token stay valid.
func describeOverlap(plan model, tokens exchange) string {
	text := plan.Overlap.ValueString()
	switch overlap, err := time.ParseDuration(text); {
	case plan.Overlap.IsUnknown() || err != nil:
		return "The current ones stay valid until the overlap ends."
	case overlap == 0 && tokens.changes():
		return "With overlap = \"0s\" the current ones end immediately: the identity provider is refused until " +
			"it has the new token."
	case overlap == 0:
		return "With overlap = \"0s\" the current ones end immediately."
	case tokens.changes():
		return fmt.Sprintf("The current ones stay valid for %s after the apply (overlap). "+
			"Enter the new token in the identity provider within that time.", text)
	}
	return fmt.Sprintf("The current ones stay valid for %s after the apply (overlap).", text)
}

// newestToken returns the fingerprint of the token that the session is sealed under.
func newestToken(state model) string {
	file, err := session.Parse(state.Session.ValueString())
	if err != nil {
		return ""
	}
	return file.Entries[0].Header.TokenFingerprint
}

// retiredKey is the key in private state of the fingerprints of replaced tokens. The
// session has at most the last one, and none after a rotation without overlap.
const retiredKey = "retired"

// maxRetired is how many are stored, newest first.
const maxRetired = 20

func saveRetired(ctx context.Context, private client.Private, before, after model) diag.Diagnostics {
	was, is := newestToken(before), newestToken(after)
	if was == "" || was == is {
		return nil
	}
	all := slices.DeleteFunc(loadRetired(ctx, private, before), func(f string) bool { return f == was || f == is })
	all = append([]string{was}, all...)
	value, _ := json.Marshal(all[:min(len(all), maxRetired)]) // strings always marshal
	return private.SetKey(ctx, retiredKey, value)
}

// privateReader is the private state of a request.
type privateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// loadRetired returns the fingerprints of replaced tokens, newest first.
func loadRetired(ctx context.Context, private privateReader, state model) (all []string) {
	value, _ := private.GetKey(ctx, retiredKey)
	_ = json.Unmarshal(value, &all) // none if Terraform has replaced none
	if file, err := session.Parse(state.Session.ValueString()); err == nil && len(file.Entries) > 1 {
		if previous := file.Entries[1].Header.TokenFingerprint; previous != newestToken(state) &&
			!slices.Contains(all, previous) {
			all = append(all, previous)
		}
	}
	return all
}
