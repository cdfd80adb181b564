package directory

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A change is what an apply seals anew, and why. The zero value keeps the session.
type change struct {
	url    bool // another server: no overlap
	bearer bool // another bearer token
	token  bool // another token of the server
	// unknown is set if it is not known before the apply whether something has changed.
	unknown bool
}

func (c change) seals() bool { return c.url || c.bearer || c.token || c.unknown }

// decide compares the configuration with the sealed session. ephemeral is set if the
// bearer token is a new one in every run, so that its version alone decides.
//
// The server's token can only be compared with the bearer token that opens the session.
func decide(state, config model, ephemeral bool) change {
	file, err := session.Parse(state.Session.ValueString())
	if err != nil { // the state was edited
		return change{url: true}
	}
	newest := file.Entries[0]
	c := change{
		url:    !config.URL.IsUnknown() && !sameURL(config.URL, types.StringValue(newest.Header.DirectoryURL)),
		bearer: versionChanges(state.BearerTokenVersion, config.BearerTokenVersion),
		token:  versionChanges(state.TokenVersion, config.TokenVersion),
	}
	c.unknown = config.URL.IsUnknown() ||
		config.BearerToken.IsUnknown() && !versionDecides(state.BearerTokenVersion, config.BearerTokenVersion) ||
		config.Token.IsUnknown() && !versionDecides(state.TokenVersion, config.TokenVersion)
	bearer, err := session.ParseToken(config.BearerToken.ValueString())
	if err != nil {
		return c // null or unknown; an invalid one is refused before
	}
	if !ephemeral && !versionDecides(state.BearerTokenVersion, config.BearerTokenVersion) {
		c.bearer = bearer.Fingerprint() != newest.Header.TokenFingerprint
	}
	if config.Token.IsNull() || config.Token.IsUnknown() || versionDecides(state.TokenVersion, config.TokenVersion) {
		return c
	}
	if opened, err := newest.Open(bearer); err == nil {
		sealed, ok := opened.(session.Directory)
		given, err := session.ParseDirectoryToken(config.Token.ValueString())
		c.token = c.token || ok && err == nil && !sealed.Token.Equal(given)
	}
	return c
}

// versionDecides reports whether the version argument, not the token, decides. After an
// import the state has no version, which then cannot decide.
func versionDecides(state, config types.Int64) bool { return !state.IsNull() && !config.IsNull() }

func versionChanges(state, config types.Int64) bool {
	return versionDecides(state, config) && !state.Equal(config)
}

// describe says in the plan what changes, for whoever must do something about it.
func (c change) describe(state, plan model) (title, text string) {
	var lines []string
	switch {
	case c.url:
		title = "The session will be for another SCIM server"
		lines = append(lines, fmt.Sprintf("url changes from %s to %s. There is no overlap: the bearer token in the "+
			"identity provider is valid if it is the same.", state.URL.ValueString(), plan.URL.ValueString()))
	case c.bearer:
		title = "The bearer token will be rotated"
		lines = append(lines, "Enter the new bearer token in the identity provider. "+describeOverlap(plan))
	case c.token:
		title = "The SCIM server's token will be sealed again"
		lines = append(lines, "The bearer token does not change, so the identity provider needs nothing. Revoke the "+
			"old token at the server when the bridge has the new session and no overlap is running.")
	default:
		title = "The session may be sealed again"
		lines = append(lines, "url, token_wo or bearer_token_wo is not known before the apply.")
	}
	lines = append(lines, "Bridges need the new session: a scimbridge_deployment gets it if its session refers to "+
		"this resource.")
	return title, strings.Join(lines, "\n\n")
}

func describeOverlap(plan model) string {
	switch overlap, err := time.ParseDuration(plan.Overlap.ValueString()); {
	case err != nil:
		return "The current one stays valid until the overlap ends."
	case overlap == 0:
		return "With overlap = \"0s\" the current one ends immediately: the identity provider is refused until it " +
			"has the new one."
	default:
		return fmt.Sprintf("The current one stays valid for %s after the apply (overlap).", plan.Overlap.ValueString())
	}
}

// seal seals the session that follows before, which is empty when there is none.
func seal(config model, overlap time.Duration, before string, now time.Time) (session.File, error) {
	url, err := session.ParseDirectoryURL(config.URL.ValueString())
	if err != nil {
		return session.File{}, err
	}
	bearer, err := parseBearer(config.BearerToken.ValueString())
	if err != nil {
		return session.File{}, err
	}
	token, err := session.ParseDirectoryToken(config.Token.ValueString())
	if err != nil {
		return session.File{}, err
	}
	previous, err := session.Parse(before)
	if err != nil || previous.Entries[0].Header.DirectoryURL != url {
		previous = session.File{} // no overlap with another server
	}
	sealed, err := session.SealDirectory(bearer, session.Directory{URL: url, Token: token}, previous, overlap, now)
	if err != nil {
		return session.File{}, err
	}
	return session.Parse(sealed)
}
