package deployment

import (
	"maps"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

// What a plan foresees of the address must be what the apply finds, however
// the bridge spells what it bound.
func TestTheAddressIsTheConfiguredOneUnlessTheSystemChoosesThePort(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, public, listen, bound, want string
		foreseen                          bool
	}{
		{"a host name", "", "localhost:3121", "127.0.0.1:3121", "http://localhost:3121", true},
		{"a long IPv6 address", "", "[0:0:0:0:0:0:0:1]:3121", "[::1]:3121", "http://[0:0:0:0:0:0:0:1]:3121", true},
		{"an IPv4 address in IPv6", "", "[::ffff:127.0.0.1]:3121", "127.0.0.1:3121", "http://[::ffff:127.0.0.1]:3121", true},
		{"every interface", "", ":3121", "[::]:3121", "http://127.0.0.1:3121", true},
		{"a port that the system chooses", "", "127.0.0.1:0", "127.0.0.1:40111", "http://127.0.0.1:40111", false},
		{"a port that the system chooses, for a host name", "", "localhost:0", "127.0.0.1:40111", "http://127.0.0.1:40111", false},
		{"a public URL", "https://scim.example.com/", "localhost:3121", "127.0.0.1:3121", "https://scim.example.com", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			url, foreseen := address(row.public, row.listen)
			if foreseen != row.foreseen || foreseen && url != row.want {
				t.Errorf("the plan says %q (known: %v), want %q (%v)", url, foreseen, row.want, row.foreseen)
			}
			m := model{URL: types.StringUnknown(), SCIMURL: types.StringUnknown()}
			target := &process.Target{DataDir: "/bridge", Listen: row.listen}
			state := deploy.State{
				Spec:    deploy.Spec{Settings: deploy.Settings{PublicURL: row.public}},
				Running: true, Bridge: &control.Status{Listen: row.bound},
			}
			if diags := m.compute(t.Context(), target, state); diags.HasError() || m.URL.ValueString() != row.want {
				t.Errorf("the apply found %s, want %q (%v)", m.URL, row.want, diags)
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
		{"alone", triggers(map[string]attr.Value{"b": types.StringNull()}), nil, triggers(map[string]attr.Value{"b": types.StringNull()})},
		{
			"and something else was deployed", withNull, map[string]string{"a": "2"},
			triggers(map[string]attr.Value{"a": types.StringValue("2")}),
		},
		{"and nothing was deployed", withNull, nil, types.MapNull(types.StringType)},
		{"just imported", types.MapNull(types.StringType), map[string]string{"a": "1"}, triggers(map[string]attr.Value{"a": types.StringValue("1")})},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := model{RedeployTriggers: row.state}
			state := deploy.State{Spec: deploy.Spec{Triggers: row.deployed}}
			if diags := m.observe(t.Context(), &process.Target{DataDir: "/bridge", Listen: ":3002"}, state); diags.HasError() {
				t.Fatal(diags)
			}
			if !m.RedeployTriggers.Equal(row.want) {
				t.Errorf("observed %s, want %s", m.RedeployTriggers, row.want)
			}
		})
	}
	spec, known, diags := model{RedeployTriggers: withNull}.spec(t.Context())
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
		{"somebody switched it off", types.BoolValue(true), false, types.BoolValue(false)},
		{"it was imported", types.BoolNull(), true, types.BoolValue(true)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			before, diags := settingsOf(t.Context(), deploy.Settings{}, types.ObjectNull(settingsTypes))
			if diags.HasError() {
				t.Fatal(diags)
			}
			attributes := before.Attributes()
			attributes["insecure_http"] = row.state
			m := model{Settings: types.ObjectValueMust(settingsTypes, attributes)}
			state := deploy.State{Spec: deploy.Spec{Settings: deploy.Settings{InsecureHTTP: row.deployed}}}
			if diags := m.observe(t.Context(), &process.Target{DataDir: "/bridge", Listen: ":3002"}, state); diags.HasError() {
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
	credentials := session.Credentials{AccountID: "acc_1", Email: "manager@example.com"}
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
			token, previous := new(bridge).checkToken(types.StringValue(row.token.Reveal()), row.sealed, row.unseal, &diags)
			if previous != row.previous || token.Fingerprint() != row.token.Fingerprint() {
				t.Errorf("previous: %v, want %v", previous, row.previous)
			}
			if diags.HasError() != (row.fault != "") || row.fault != "" && diags[0].Summary() != row.fault {
				t.Errorf("said %v, want %q", diags, row.fault)
			}
		})
	}
}

func TestTwoListenersThatCannotBothBe(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, a, b string
		same       bool
	}{
		{"one address", "127.0.0.1:3002", "127.0.0.1:3002", true},
		{"every address and one", ":3002", "127.0.0.1:3002", true},
		{"every IPv4 address and one", "0.0.0.0:3002", "10.0.0.1:3002", true},
		{"two spellings of one port", "127.0.0.1:3002", "127.0.0.1:03002", true},
		{"two spellings of one IPv6 address", "[::1]:3002", "[0:0:0:0:0:0:0:1]:3002", true},
		{"an IPv4 address in IPv6", "127.0.0.1:3002", "[::ffff:127.0.0.1]:3002", true},
		{"localhost and its address", "LOCALHOST:3002", "127.0.0.1:3002", true},
		{"two addresses", "127.0.0.1:3002", "127.0.0.2:3002", false},
		{"two ports", "127.0.0.1:3002", "127.0.0.1:3003", false},
		{"ports that the system chooses", ":0", ":0", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, pair := range [][2]string{{row.a, row.b}, {row.b, row.a}} {
				if got := sameListener(pair[0], pair[1]); got != row.same {
					t.Errorf("sameListener(%q, %q) = %v", pair[0], pair[1], got)
				}
			}
		})
	}
}
