package people_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

// read is the configuration that reads a data source by a body.
func read(account *providertest.Account, kind, body string) string {
	return fmt.Sprintf("%sdata %q \"it\" {\n%s\n}\n", account.ProviderBlock(), kind, body)
}

func TestMembersAreFoundByTheFilter(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, person := range []api.MemberInput{
		{Address: "ann@example.com", Name: new("Ann")},
		{Address: "ben@example.com", Name: new("Ben"), Role: new(api.RoleAdministrator)},
	} {
		resp, err := apitest.Read[api.Member](account.API.InviteMember(t.Context(), nil, person))
		providertest.Expect(t, http.StatusCreated, resp, err)
	}
	// More members than a page holds are read whole; see TestPagesAreGathered.
	for _, row := range []struct {
		name, filter string
		want         []string // names
	}{
		{"by address, without regard to case", `address = "ANN@example.com"`, []string{"Ann"}},
		{"by state", `state = "invited"`, []string{"Ann", "Ben"}},
		{"by both", "state = \"invited\"\n    address = \"ben@example.com\"", []string{"Ben"}},
		{"no member matches", `managed = true`, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			want := []knownvalue.Check{}
			for _, name := range row.want {
				role, address := "member", "ann@example.com"
				if name == "Ben" {
					role, address = "administrator", "ben@example.com"
				}
				want = append(want, knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"name": knownvalue.StringExact(name), "address": knownvalue.StringExact(address),
					"role": knownvalue.StringExact(role),
					"id":   knownvalue.NotNull(), "state": knownvalue.StringExact("invited"),
					"managed":   knownvalue.Bool(false),
					"suspended": knownvalue.Bool(false), "person_id": knownvalue.Null(), "user_name": knownvalue.Null(),
					"pending_address": knownvalue.Null(),
				}))
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: read(account, "scimbridge_members", "  filter = {\n    "+row.filter+"\n  }"),
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
					},
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownValue("data.scimbridge_members.it", tfjsonpath.New("members"),
							knownvalue.ListExact(want)),
					},
				}},
			})
		})
	}
}

func TestGroupsAreFoundByTheFilter(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	group, err := apitest.Read[api.AccountGroup](account.API.CreateGroup(t.Context(), nil,
		api.AccountGroupInput{Name: "Engineering"}))
	providertest.Expect(t, http.StatusCreated, group, err)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: read(account, "scimbridge_groups",
				"  filter = {\n    name = \"engineering\"\n    managed = false\n  }"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.scimbridge_groups.it", tfjsonpath.New("groups"),
					knownvalue.ListExact([]knownvalue.Check{
						knownvalue.ObjectExact(map[string]knownvalue.Check{
							"id": knownvalue.StringExact(group.Value.Id), "name": knownvalue.StringExact("Engineering"),
							"managed":  knownvalue.Bool(false),
							"built_in": knownvalue.Bool(false), "member_count": knownvalue.Int64Exact(0),
						}),
					})),
			},
		}},
	})
}

func TestSignInAttemptsAreReadNewestFirstUpToTheLimit(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, from := range []string{"127.0.0.5", "127.0.0.6", "127.0.0.7"} {
		failToSignIn(t, account, from)
	}
	at := "data.scimbridge_sign_in_attempts.it"
	from := func(address string) knownvalue.Check {
		return knownvalue.ObjectPartial(map[string]knownvalue.Check{
			"result": knownvalue.StringExact("sign_in_failed"), "address": knownvalue.StringExact(address),
			"count": knownvalue.Int64Exact(1), "rule_id": knownvalue.Null(),
		})
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: read(account, "scimbridge_sign_in_attempts", ""),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(at, tfjsonpath.New("attempts"),
						knownvalue.ListExact([]knownvalue.Check{
							from("127.0.0.7"), from("127.0.0.6"), from("127.0.0.5"),
						})),
				},
			},
			{
				Config: read(account, "scimbridge_sign_in_attempts", "  limit = 2"),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(at, tfjsonpath.New("attempts"),
						knownvalue.ListExact([]knownvalue.Check{from("127.0.0.7"), from("127.0.0.6")})),
				},
			},
			{
				Config: read(account, "scimbridge_sign_in_attempts", "  since = timeadd(plantimestamp(), \"1h\")"),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(at, tfjsonpath.New("attempts"), knownvalue.ListSizeExact(0)),
				},
			},
		},
	})
}

func TestMistakesAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct{ name, kind, body, want string }{
		{"members without a filter", "scimbridge_members", "", `"filter" is\s+required`},
		{"members by nothing", "scimbridge_members", "  filter = {}", `At least one`},
		{"groups by nothing", "scimbridge_groups", "  filter = {}", `At least one`},
		{"a state that is none", "scimbridge_members", "  filter = {\n    state = \"asleep\"\n  }", `"invited"`},
		{"a time that is none", "scimbridge_sign_in_attempts", "  since = \"yesterday\"", `not an\s+RFC\s+3339\s+time`},
		{"a limit of nothing", "scimbridge_sign_in_attempts", "  limit = 0", `between 1`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					{Config: read(account, row.kind, row.body), PlanOnly: true,
						ExpectError: regexp.MustCompile(row.want)},
				},
			})
		})
	}
}

// failToSignIn is a bridge with wrong credentials, at one of the addresses of
// this machine.
func failToSignIn(t *testing.T, account *providertest.Account, from string) {
	t.Helper()
	caller, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, caller, err)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	there, err := api.NewClient(account.URL,
		api.WithHTTPClient(&http.Client{
			Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		}))
	if err != nil {
		t.Fatal(err)
	}
	start, err := apitest.Read[api.Handshake](there.StartSignIn(t.Context(), api.SignInStart{
		AccountId: caller.Value.AccountId, Email: "stranger@example.com", Epoch: 1,
	}))
	providertest.Expect(t, http.StatusOK, start, err)
	finish, err := apitest.Read[api.SignedIn](there.FinishSignIn(t.Context(), api.SignInFinish{
		HandshakeId: start.Value.HandshakeId, A: "02", Proof: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		Bridge: api.BridgeIdentity{Instance: "stranger", Version: "test", Revision: "1"},
	}))
	providertest.Expect(t, http.StatusUnauthorized, finish, err)
}
