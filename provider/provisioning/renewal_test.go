package provisioning

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestDecide(t *testing.T) {
	t.Parallel()
	token, other := newToken(t), newToken(t)
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 3,
		session.Integration{AccountID: "acc_1", Email: "manager@example.com", Secrets: secrets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	good := model{
		ID:           types.StringValue("int_1"),
		ManagerEmail: types.StringValue("manager@example.com"),
		Active:       types.BoolValue(true),
		Epoch:        types.Int64Value(3),
		Session:      types.StringValue(sealed),
	}
	// with is the good state or plan, changed.
	with := func(change func(*model)) model {
		m := good
		change(&m)
		return m
	}
	version := func(n int64) func(*model) {
		return func(m *model) { m.BearerTokenVersion = types.Int64Value(n) }
	}
	inactive := with(func(m *model) {
		m.Active, m.Epoch, m.Session = types.BoolValue(false), types.Int64Null(), types.StringNull()
	})

	for _, row := range []struct {
		name        string
		state, plan model
		made, token string
		unusable    api.ErrorCode // the account's reason
		want        renewal
		why         string
	}{
		{name: "two-factor authentication was enforced", state: good, plan: good, made: "int_1",
			unusable: "two_factor_enforced", want: activate, why: "Two-factor"},
		{name: "it was enforced, and the version says that the token stays", state: with(version(1)),
			plan: with(version(1)), made: "int_1", unusable: "two_factor_enforced", want: activate, why: "Two-factor"},
		{name: "it was enforced, and the integration is to end", state: good, plan: inactive, made: "int_1",
			unusable: "two_factor_enforced", want: deactivate},
		{name: "a reason that only a newer account knows", state: good, plan: good, made: "int_1",
			unusable: "moon_phase", want: activate, why: "moon_phase"},
		{name: "nothing changed, and no token is given", state: good, plan: good, made: "int_1", want: keep},
		{name: "the token is the one in the session", state: good, plan: good, made: "int_1",
			token: token.Fingerprint(), want: keep},
		{name: "another token rotates", state: good, plan: good, made: "int_1", token: other.Fingerprint(),
			want: rotate},
		{name: "another version rotates, whatever the token", state: with(version(1)), plan: with(version(2)),
			made: "int_1", token: token.Fingerprint(), want: rotate},
		{name: "another token under the same version is ignored", state: with(version(1)), plan: with(version(1)),
			made: "int_1", token: other.Fingerprint(), want: keep},
		{name: "a version that is new leaves the decision to the token", state: good, plan: with(version(1)),
			made: "int_1", token: token.Fingerprint(), want: keep},
		{name: "a version that is new does not hide another token", state: good, plan: with(version(1)), made: "int_1",
			token: other.Fingerprint(), want: rotate},
		{name: "a version that is left out leaves the decision to the token", state: with(version(1)), plan: good,
			made: "int_1", token: token.Fingerprint(), want: keep},
		{
			name: "another manager rotates, for the credentials are bound to the address", state: good,
			plan: with(func(m *model) {
				m.ManagerEmail = types.StringValue("other@example.com")
			}), made: "int_1", want: rotate,
		},
		{
			name: "another spelling of the manager's address is the same", state: good,
			plan: with(func(m *model) {
				m.ManagerEmail = types.StringValue("Manager@Example.com")
			}), made: "int_1", want: keep,
		},
		{
			name:  "credentials that were changed by hand cannot be used, with the token or without",
			state: with(func(m *model) { m.Epoch = types.Int64Value(4) }), plan: good, made: "int_1",
			want: activate, why: "the account is at epoch 4 and the sealed session is for epoch 3",
		},
		{name: "deactivated outside Terraform", state: inactive, plan: good, made: "int_1", want: activate,
			why: "deactivated outside Terraform"},
		{name: "activated again after Terraform deactivated it: no drift", state: inactive, plan: good, made: "",
			want: activate},
		{
			name:  "another integration in its place",
			state: with(func(m *model) { m.ID = types.StringValue("int_2") }), plan: good, made: "int_1",
			want: activate, why: `"int_1" was deactivated and "int_2" was activated`,
		},
		{
			name:  "a session that cannot be read",
			state: with(func(m *model) { m.Session = types.StringValue("garbage") }), plan: good, made: "int_1",
			want: activate, why: "cannot be used",
		},
		{
			name: "active = false deactivates", state: good,
			plan: with(func(m *model) { m.Active = types.BoolValue(false) }), made: "int_1", want: deactivate,
		},
		{name: "inactive stays inactive", state: inactive, plan: inactive, want: keep},
		{
			name: "deactivated outside Terraform is what active = false wants", state: inactive,
			plan: inactive, made: "int_1", token: other.Fingerprint(), want: keep,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			do, why := decide(row.state, row.plan, row.made, row.unusable, row.token)
			if do != row.want {
				t.Errorf("decided %d, want %d", do, row.want)
			}
			if (why == "") != (row.why == "") || !strings.Contains(why, row.why) {
				t.Errorf("reason %q, want %q", why, row.why)
			}
		})
	}
}

func TestChecksOfTheConfiguration(t *testing.T) {
	t.Parallel()
	token := newToken(t).Reveal()
	wrong := token[:len(token)-1] + "!"
	for _, row := range []struct {
		name  string
		check func(string) error
		text  string
		ok    bool
	}{
		{"a token", checkToken, token, true},
		{"a damaged token", checkToken, wrong, false},
		{"an e-mail address", checkEmail, "manager@example.com", true},
		{"an e-mail address with a name", checkEmail, "Manager <manager@example.com>", false},
		{"no e-mail address", checkEmail, "manager", false},
		{"an overlap", checkOverlap, "15m", true},
		{"no overlap at all", checkOverlap, "0s", true},
		{"an overlap without a unit", checkOverlap, "15", false},
		{"an overlap below a second", checkOverlap, "10ms", false},
		{"an overlap of more than the account allows", checkOverlap, "721h", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := row.check(row.text)
			if (err == nil) != row.ok {
				t.Errorf("%q: %v", row.text, err)
			}
			if err != nil && strings.Contains(err.Error(), "sbt1_") && strings.Contains(err.Error(), row.text[5:20]) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	for text, ok := range map[string]bool{
		"off": true, "max(10, 5%)/1h": true, "max(3, 100%)/30m": true, "10/1h": false, "max(10,5)/1h": false,
		"max(1, 1%)/0h": false, "max(1, 101%)/1h": false, "max(1, 1%)/721h": false, "": false,
	} {
		if err := checkSuspensionLimit(text); (err == nil) != ok {
			t.Errorf("suspension limit %q: %v, want %v", text, err, ok)
		}
	}
}
