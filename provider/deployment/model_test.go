package deployment

import (
	"maps"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

// What a plan says of the address must be what the apply finds.
func TestTheAddressIsThePublicURLOrTheTargets(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, public, found string
		planned             types.String
		want                types.String
	}{
		{"the target's", "", "http://127.0.0.1:3121", types.StringUnknown(),
			types.StringValue("http://127.0.0.1:3121")},
		{"a public URL", "https://scim.example.com/", "http://127.0.0.1:3121", types.StringUnknown(),
			types.StringValue("https://scim.example.com")},
		{"a target that has moved", "", "http://127.0.0.1:3122", types.StringValue("http://127.0.0.1:3121"),
			types.StringValue("http://127.0.0.1:3122")},
		{"one that was known, of a bridge that does not run", "", "", types.StringValue("http://127.0.0.1:3121"),
			types.StringValue("http://127.0.0.1:3121")},
		{"one that is not known yet", "", "", types.StringUnknown(), types.StringNull()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := model{URL: row.planned, SCIMURL: types.StringUnknown()}
			state := deploy.State{Spec: deploy.Spec{Settings: deploy.Settings{PublicURL: row.public}}, URL: row.found}
			if diags := m.setComputed(t.Context(), "process:/bridge", state); diags.HasError() ||
				!m.URL.Equal(row.want) {
				t.Errorf("the apply found %s, want %s (%v)", m.URL, row.want, diags)
			}
			if row.found != "" && m.SCIMURL.ValueString() != m.URL.ValueString()+"/scim/v2" {
				t.Errorf("the SCIM address is %s", m.SCIMURL)
			}
		})
	}
}

// A trigger that is null is as if it were left out, and stays in the state as
// it is written: otherwise every plan would show it again.
func TestANullTriggerIsNoTrigger(t *testing.T) {
	t.Parallel()
	triggers := func(values map[string]attr.Value) types.Map { return types.MapValueMust(types.StringType, values) }
	withNull := triggers(map[string]attr.Value{"a": types.StringValue("1"), "b": types.StringNull()})
	for _, row := range []struct {
		name     string
		state    types.Map
		deployed map[string]string
		want     types.Map
	}{
		{"beside another", withNull, map[string]string{"a": "1"}, withNull},
		{"alone", triggers(map[string]attr.Value{"b": types.StringNull()}), nil,
			triggers(map[string]attr.Value{"b": types.StringNull()})},
		{
			"and something else was deployed", withNull, map[string]string{"a": "2"},
			triggers(map[string]attr.Value{"a": types.StringValue("2")}),
		},
		{"and nothing was deployed", withNull, nil, types.MapNull(types.StringType)},
		{"just imported", types.MapNull(types.StringType), map[string]string{"a": "1"},
			triggers(map[string]attr.Value{"a": types.StringValue("1")})},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := model{RedeployTriggers: row.state}
			state := deploy.State{Config: process.Config{DataDir: "/bridge", Listen: ":3002"},
				Spec: deploy.Spec{Triggers: row.deployed}}
			if diags := m.fromState(t.Context(), processKind(), "process:/bridge", state); diags.HasError() {
				t.Fatal(diags)
			}
			if !m.RedeployTriggers.Equal(row.want) {
				t.Errorf("observed %s, want %s", m.RedeployTriggers, row.want)
			}
		})
	}
	spec, known, diags := model{RedeployTriggers: withNull}.toSpec(t.Context())
	if !known || diags.HasError() || !maps.Equal(spec.Triggers, map[string]string{"a": "1"}) {
		t.Errorf("deploys %v (known: %v, %v)", spec.Triggers, known, diags)
	}
}

func TestSayingThatHTTPIsNotInsecureIsAsGoodAsSayingNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		state    types.Bool
		deployed bool
		want     types.Bool
	}{
		{"it is left out", types.BoolNull(), false, types.BoolNull()},
		{"it is false", types.BoolValue(false), false, types.BoolValue(false)},
		{"it is true", types.BoolValue(true), true, types.BoolValue(true)},
		{"it was turned off", types.BoolValue(true), false, types.BoolValue(false)},
		{"it was imported", types.BoolNull(), true, types.BoolValue(true)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			before, diags := settingsFromSpec(t.Context(), deploy.Spec{}, types.ObjectNull(settingsTypes))
			if diags.HasError() {
				t.Fatal(diags)
			}
			attributes := before.Attributes()
			attributes["insecure_http"] = row.state
			m := model{Settings: types.ObjectValueMust(settingsTypes, attributes)}
			state := deploy.State{Config: process.Config{DataDir: "/bridge", Listen: ":3002"},
				Spec: deploy.Spec{Settings: deploy.Settings{InsecureHTTP: row.deployed}}}
			if diags := m.fromState(t.Context(), processKind(), "process:/bridge", state); diags.HasError() {
				t.Fatal(diags)
			}
			if got := m.Settings.Attributes()["insecure_http"]; !got.Equal(row.want) {
				t.Errorf("observed %s, want %s", got, row.want)
			}
		})
	}
}

func TestTheTokenMustOpenTheSessionForAsLongAsItIsUsed(t *testing.T) {
	t.Parallel()
	newToken := func() session.Token {
		token, err := session.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	older, newer, stranger := newToken(), newToken(), newToken()
	credentials := session.Integration{AccountID: "acc_1", Email: "manager@example.com"}
	single, err := session.Seal(older, 1, credentials, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := session.Parse(single)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := session.Seal(newer, 2, credentials, &session.Previous{Entry: file.Entries[0]})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name     string
		token    session.Token
		sealed   string
		unseal   deploy.Unseal
		fault    string
		previous bool
	}{
		{"the newest, once", newer, bundle, deploy.UnsealOnce, "", false},
		{"the newest, stored", newer, bundle, deploy.UnsealStored, "", false},
		{"the previous, once", older, bundle, deploy.UnsealOnce, "", true},
		{"the previous, stored", older, bundle, deploy.UnsealStored, "The token is the previous one", true},
		{"the only one, stored", older, single, deploy.UnsealStored, "", false},
		{"another", stranger, bundle, deploy.UnsealOnce, "The token does not open the session", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var diags diag.Diagnostics
			token, previous := new(deploymentResource).checkToken(types.StringValue(row.token.Reveal()), row.sealed,
				row.unseal, &diags)
			if previous != row.previous || token.Fingerprint() != row.token.Fingerprint() {
				t.Errorf("previous: %v, want %v", previous, row.previous)
			}
			if diags.HasError() != (row.fault != "") || row.fault != "" && diags[0].Summary() != row.fault {
				t.Errorf("said %v, want %q", diags, row.fault)
			}
		})
	}
}

// An account counts over all bridges, so its limit is not a bridge's.
func TestASuspensionLimitIsForASessionOfASCIMServer(t *testing.T) {
	t.Parallel()
	sealed := map[string]string{"account": sealedAccount(t), "server": sealedServer(t)}
	kubernetes := kind{keepsNoHolds: "Pods keep none."}
	text := types.StringValue
	for _, row := range []struct {
		name, session string
		limit         types.String
		kind          kind
		refused       bool
	}{
		{"the default of an account", "account", types.StringNull(), kind{}, false},
		{"a limit beside an account's", "account", text("max(5, 0%)/1h"), kind{}, true},
		{"off beside an account's", "account", text("off"), kind{}, true},
		{"the default before a server", "server", types.StringNull(), kind{}, false},
		{"a limit before a server", "server", text("max(5, 0%)/1h"), kind{}, false},
		{"the default in pods", "server", types.StringNull(), kubernetes, true},
		{"an account's in pods", "account", types.StringNull(), kubernetes, false},
		{"off in pods", "server", text("off"), kubernetes, false},
		{"a limit that is not known yet", "server", types.StringUnknown(), kubernetes, false},
		{"a session that is not known yet", "", text("off"), kubernetes, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]attr.Value{}
			for name, of := range settingsTypes {
				settings[name] = nullOf(t, of)
			}
			settings["suspension_limit"] = row.limit
			m := model{Session: types.StringUnknown(), Settings: types.ObjectValueMust(settingsTypes, settings)}
			if row.session != "" {
				m.Session = text(sealed[row.session])
			}
			if diags := m.checkHolds(row.kind); diags.HasError() != row.refused {
				t.Errorf("refused is %v: %v", diags.HasError(), diags)
			}
		})
	}
}

func nullOf(t *testing.T, of attr.Type) attr.Value {
	t.Helper()
	value, err := of.ValueFromTerraform(t.Context(), tftypes.NewValue(of.TerraformType(t.Context()), nil))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func sealedAccount(t *testing.T) string {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 1, session.Integration{AccountID: "acc_1", Email: "manager@example.com"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func sealedServer(t *testing.T) string {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	far, err := session.ParseDirectoryToken("far")
	if err != nil {
		t.Fatal(err)
	}
	server := session.Directory{URL: "https://scim.example.com/scim/v2", Token: far}
	sealed, err := session.SealDirectory(token, server, session.File{}, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}
