package provisioning

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// A plan says of a rotation from what to what, for how long both work, and
// what the identity provider needs.
func TestARotationIsSaidInWords(t *testing.T) {
	t.Parallel()
	state := model{
		ManagerEmail: types.StringValue("manager@example.com"), BearerTokenVersion: types.Int64Value(1),
		Epoch: types.Int64Value(3), Overlap: types.StringValue("15m"),
	}
	plan := func(change func(*model)) model {
		m := state
		change(&m)
		return m
	}
	version := func(m *model) { m.BearerTokenVersion = types.Int64Value(2) }
	for _, row := range []struct {
		name   string
		plan   model
		tokens exchange
		title  string
		says   []string
		never  []string
	}{
		{
			"another token", plan(version), exchange{from: "old", to: "new"}, "The bearer token will be rotated",
			[]string{"with fingerprint old is replaced by the one with fingerprint new", "Enter the new one",
				"stay valid for 15m", "within that time", "version changes from 1 to 2", "epoch 3"},
			[]string{"rotate back"},
		},
		{
			"a token that was replaced before", plan(func(*model) {}), exchange{from: "present", to: "past",
				retired: []string{"x", "past"}},
			"bearer_token_wo is an earlier token",
			[]string{"fingerprint past, which was replaced by the current one (fingerprint present, epoch 3)",
				"rotate back", "To keep the current token, set bearer_token_wo to it"}, nil,
		},
		{
			"without an overlap", plan(func(m *model) {
				m.Overlap = types.StringValue("0s")
			}), exchange{from: "old", to: "new"},
			"The bearer token will be rotated", []string{"end immediately",
				"refused until it has the new token"}, []string{"stay valid for"},
		},
		{
			"another manager, the same token", plan(func(m *model) {
				m.ManagerEmail = types.StringValue("other@example.com")
			}), exchange{from: "t", to: "t"},
			"The provisioning credentials will be rotated",
			[]string{"manager_email changes from manager@example.com to other@example.com", "identity provider needs " +
				"nothing", "stay valid for 15m"}, []string{"within that time"},
		},
		{
			"another spelling of the manager is none", plan(func(m *model) {
				version(m)
				m.ManagerEmail = types.StringValue("Manager@example.com")
			}), exchange{from: "t", to: "t"},
			"The provisioning credentials will be rotated", []string{"version changes from 1 to 2"},
			[]string{"manager_email"},
		},
		{
			"a token that the apply makes", plan(version), exchange{from: "old", to: "of the plan",
				ephemeral: true}, "The bearer token will be rotated",
			[]string{"scimbridge_bearer_token generates in the apply"}, []string{"of the plan"},
		},
		{
			"a token that is not known yet", plan(func(*model) {}), exchange{from: "old",
				unknown: true}, "The bearer token will be rotated",
			[]string{"not known before the apply"}, nil,
		},
		{
			"an overlap that is not known yet", plan(func(m *model) {
				m.Overlap = types.StringUnknown()
			}), exchange{from: "old", to: "new"},
			"The bearer token will be rotated", []string{"stay valid until the overlap ends"}, nil,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			title, text := describeRotation(state, row.plan, row.tokens)
			if title != row.title {
				t.Errorf("title %q, want %q", title, row.title)
			}
			for _, want := range row.says {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			for _, never := range row.never {
				if strings.Contains(text, never) {
					t.Errorf("it says %q:\n%s", never, text)
				}
			}
		})
	}
}
