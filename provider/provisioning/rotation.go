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

// This file explains a rotation in the plan. The diff shows only that epoch and
// session are not known yet.

// An exchange replaces one bearer token by another. Both are fingerprints.
type exchange struct {
	from, to  string   // to is empty if it is not known yet
	retired   []string // fingerprints of tokens that were replaced before
	ephemeral bool     // the apply makes a new one
	unknown   bool
}

// changes reports whether the token changes, or may change.
func (e exchange) changes() bool { return e.unknown || e.ephemeral || e.to != e.from }

// stale reports whether the token was replaced before.
func (e exchange) stale() bool { return !e.ephemeral && e.to != "" && slices.Contains(e.retired, e.to) }

func (e exchange) String() string {
	switch {
	case e.unknown:
		return fmt.Sprintf("bearer_token_wo is not known before the apply. If it is not the present one (fingerprint "+
			"%s), the identity provider must be given it.", e.from)
	case e.ephemeral:
		return fmt.Sprintf("The bearer token goes from the one with fingerprint %s to a new one, which "+
			"scimbridge_bearer_token makes in the apply. The identity provider must be given it.", e.from)
	case e.to == e.from:
		return fmt.Sprintf("The bearer token stays the one with fingerprint %s, so the identity provider needs "+
			"nothing.", e.from)
	}
	return fmt.Sprintf("The bearer token goes from the one with fingerprint %s to the one with fingerprint %s. "+
		"The identity provider must be given the new one.", e.from, e.to)
}

// describeRotation says why the credentials are rotated, from what to what,
// how long the present ones live, and what the identity provider needs.
func describeRotation(state, plan model, tokens exchange) (title, text string) {
	var lines []string
	title = "The provisioning credentials will be rotated"
	switch {
	case tokens.stale():
		title = "An old bearer token would come back"
		lines = append(lines, fmt.Sprintf("bearer_token_wo holds the token with fingerprint %s, which was replaced "+
			"by the present one (fingerprint %s, epoch %d). Applying would rotate back to it. To keep the present "+
			"token, set bearer_token_wo to it: then nothing is planned.",
			tokens.to, tokens.from, state.Epoch.ValueInt64()))
	case tokens.changes():
		title = "The bearer token will be rotated"
	}
	if !plan.ManagerEmail.IsUnknown() && !sameAddress(plan.ManagerEmail, state.ManagerEmail) {
		lines = append(lines, fmt.Sprintf("manager_email changes from %s to %s, and the credentials are bound to it.",
			state.ManagerEmail.ValueString(), plan.ManagerEmail.ValueString()))
	}
	if versionDecides(state, plan) && !state.BearerTokenVersion.Equal(plan.BearerTokenVersion) {
		lines = append(lines, fmt.Sprintf("bearer_token_wo_version changes from %s to %s.", state.BearerTokenVersion,
			plan.BearerTokenVersion))
	}
	lines = append(lines, tokens.String(), fmt.Sprintf("The apply makes new credentials and a new session, which "+
		"replace those of epoch %d. ",
		state.Epoch.ValueInt64())+describeOverlap(plan, tokens))
	lines = append(lines, "Give bridges the new session; scimbridge_deployment does so if its session refers to this "+
		"resource.")
	return title, strings.Join(lines, "\n\n")
}

// describeOverlap says how long the present credentials and token remain valid.
func describeOverlap(plan model, tokens exchange) string {
	text := plan.Overlap.ValueString()
	switch overlap, err := time.ParseDuration(text); {
	case plan.Overlap.IsUnknown() || err != nil:
		return "The present ones work until the overlap ends."
	case overlap == 0 && tokens.changes():
		return "With overlap = \"0s\" the present ones stop working at once: the identity provider is refused until " +
			"it has the new token."
	case overlap == 0:
		return "With overlap = \"0s\" the present ones stop working at once."
	case tokens.changes():
		return fmt.Sprintf("The present ones work for %s after the apply (overlap). "+
			"Give the identity provider the new token within that time.", text)
	}
	return fmt.Sprintf("The present ones work for %s after the apply (overlap).", text)
}

// newestToken returns the fingerprint of the token that the session is sealed under.
func newestToken(state model) string {
	file, err := session.Parse(state.Session.ValueString())
	if err != nil {
		return ""
	}
	return file.Entries[0].Header.TokenFingerprint
}

// retiredKey is where private state keeps the fingerprints of replaced tokens. The
// session has the last one at most, and none after a rotation without overlap.
const retiredKey = "retired"

// maxRetired is how many are kept, newest first.
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
