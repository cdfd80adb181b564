package signup_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

const whole = "scimbridge_signup_domains.all"

func domains(account *providertest.Account, mode string, names ...string) string {
	return account.ProviderBlock() + fmt.Sprintf("resource \"scimbridge_signup_domains\" \"all\" {\n"+
		"  domains      = [%s]\n  on_unmanaged = %q\n}\n", quoted(names), mode)
}

func quoted(names []string) string {
	var texts []string
	for _, name := range names {
		texts = append(texts, fmt.Sprintf("%q", name))
	}
	return strings.Join(texts, ", ")
}

func plannedWhole(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(whole, action)}}
}

func holds(attribute string, names ...string) statecheck.StateCheck {
	checks := make([]knownvalue.Check, len(names))
	for i, name := range names {
		checks[i] = knownvalue.StringExact(name)
	}
	return statecheck.ExpectKnownValue(whole, tfjsonpath.New(attribute), knownvalue.SetExact(checks))
}

// allow puts a domain on the account's list behind Terraform's back.
func allow(t *testing.T, account *providertest.Account, names ...string) {
	t.Helper()
	for _, name := range names {
		resp, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
			api.SignupDomainInput{Domain: name}))
		providertest.Expect(t, http.StatusCreated, resp, err)
	}
}

func end(t *testing.T, account *providertest.Account, name string) {
	t.Helper()
	resp, err := apitest.Read[struct{}](account.API.DeleteSignupDomain(t.Context(), name, nil))
	providertest.Expect(t, http.StatusNoContent, resp, err)
}

// are fails the step unless just these domains are allowed.
func are(t *testing.T, account *providertest.Account, want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if got := allowed(t, account); !slices.Equal(got, want) {
			return fmt.Errorf("the account allows %q, want %q", got, want)
		}
		return nil
	}
}

func TestTheWholeListIsMadeChangedImportedAndLeft(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		CheckDestroy:             are(t, account, "c.example", "xn--bcher-kva.example"),
		Steps: []resource.TestStep{
			{
				Config:           domains(account, "remove", "a.example", "Bücher.Example"),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					holds("domains", "a.example", "Bücher.Example"), holds("unmanaged_domains"),
				},
				Check: are(t, account, "a.example", "xn--bcher-kva.example"),
			},
			{
				Config:           domains(account, "remove", "A.example", "xn--bcher-kva.example"),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionNoop),
			},
			{
				Config:           domains(account, "remove", "c.example", "xn--bcher-kva.example"),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionUpdate),
				Check:            are(t, account, "c.example", "xn--bcher-kva.example"),
			},
			{ResourceName: whole, ImportState: true, ImportStateVerify: true},
			{ResourceName: whole, ImportState: true, ImportStateId: "another",
				ExpectError: regexp.MustCompile(`(?s)imported by the account's\s+id.*import \{`)},
		},
	})
}

func TestDriftUnderRemoveIsShownAndHealed(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := domains(account, "remove", "a.example", "b.example")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config, ConfigPlanChecks: plannedWhole(plancheck.ResourceActionCreate)},
			{
				PreConfig: func() { end(t, account, "a.example"); allow(t, account, "foreign.example") },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(whole, plancheck.ResourceActionUpdate),
					changes(whole, "domains", []string{"b.example", "foreign.example"},
						[]string{"a.example", "b.example"}),
				}},
				Check: are(t, account, "a.example", "b.example"),
			},
			{Config: config, ConfigPlanChecks: plannedWhole(plancheck.ResourceActionNoop)},
		},
	})
}

func TestUnderReportForeignDomainsAreNamedAndLeft(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	allow(t, account, "foreign.example")
	config := domains(account, "report", "a.example")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{ // beside what is there
				Config:            config,
				ConfigPlanChecks:  plannedWhole(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{holds("unmanaged_domains", "foreign.example")},
				Check:             are(t, account, "a.example", "foreign.example"),
			},
			{ // more of it is no change
				PreConfig:        func() { allow(t, account, "more.example") },
				Config:           config,
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{
					holds("unmanaged_domains", "foreign.example", "more.example"),
				},
			},
			{ // a reported domain is taken over by listing it
				Config:            domains(account, "report", "a.example", "more.example"),
				ConfigPlanChecks:  plannedWhole(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{holds("unmanaged_domains", "foreign.example")},
			},
			{ // and what was taken over is removed when it is listed no more
				Config:           config,
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionUpdate),
				Check:            are(t, account, "a.example", "foreign.example"),
			},
			{ // to remove what is reported, say so
				Config:           domains(account, "remove", "a.example"),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionUpdate),
				Check:            are(t, account, "a.example"),
			},
			{ // from there to reporting nothing is removed
				PreConfig: func() { allow(t, account, "late.example") },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(whole, plancheck.ResourceActionUpdate),
					changes(whole, "unmanaged_domains", []string{}, []string{"late.example"}),
				}},
				Check: are(t, account, "a.example", "late.example"),
			},
		},
	})
}

func TestAListThatIsThereAlreadyComesWithItsImportBlock(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	allow(t, account, "a.example", "foreign.example")
	caller, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, caller, err)
	block := fmt.Sprintf("import {\n  to = scimbridge_signup_domains.all\n  id = %q\n}\n", caller.Value.AccountId)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           domains(account, "remove", "a.example"),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionCreate), // the plan warns
				ExpectError: regexp.MustCompile(
					`(?s)already allowed.*a\.example,\s+foreign\.example.*` +
						`import \{\s+to = scimbridge_signup_domains\.<name>\s+id = "` + caller.Value.AccountId + `"`),
			},
			{ // under report, what it would take over is named alone
				Config:           domains(account, "report", "a.example"),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionCreate),
				ExpectError:      regexp.MustCompile(`(?s)this resource did\s+not create:\s+a\.example\.`),
			},
			{ // what the block says is what heals it
				Config:           domains(account, "remove", "a.example") + block,
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionUpdate),
				Check:            are(t, account, "a.example"),
			},
		},
	})
}

func TestTwoOwnersOfTheListAreAnErrorOfThePlan(t *testing.T) {
	t.Parallel()
	one := "resource \"scimbridge_signup_domain\" \"it\" {\n  domain = \"a.example\"\n}\n"
	for _, row := range []struct{ name, mode, more, want string }{
		{"two whole lists", "report", "resource \"scimbridge_signup_domains\" \"other\" {\n  domains = []\n}\n",
			`Another scimbridge_signup_domains`},
		{"a single domain beside a list that removes", "remove", strings.Replace(one, "a.example", "b.example", 1),
			`manages the whole\s+list`},
		{"a domain managed twice", "report", one, `manage the same\s+domain`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: domains(account, row.mode, "a.example") + row.more, PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func TestASingleDomainLivesBesideAListThatReports(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	one := "resource \"scimbridge_signup_domain\" \"it\" {\n  domain = \"one.example\"\n}\n"
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           domains(account, "report", "a.example") + one,
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionCreate),
			},
			{ // handing it over without a removed block would end it
				Config:      domains(account, "report", "a.example", "one.example"),
				ExpectError: regexp.MustCompile(`(?s)would remove a listed domain.*removed \{`),
			},
			{
				Config: domains(account, "remove", "a.example", "one.example") +
					"removed {\n  from = scimbridge_signup_domain.it\n  lifecycle {\n    destroy = false\n  }\n}\n",
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionUpdate),
				Check:            are(t, account, "a.example", "one.example"),
			},
		},
	})
}

func TestACreationThatFailsHalfwayLeavesNothing(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprintf("d%02d.example", i)
	}
	front := inFrontOf(t, account, func(w http.ResponseWriter, r *http.Request) bool {
		body := readBody(t, r)
		if r.Method == http.MethodPost && strings.Contains(body, names[30]) {
			http.Error(w, "no", http.StatusBadRequest)
			return true
		}
		return false
	})
	config := strings.Replace(domains(account, "remove", names...), account.URL, front, 1)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config, ExpectError: regexp.MustCompile(`Cannot allow the sign-up domains`)},
			{
				PreConfig: func() {
					if left := allowed(t, account); len(left) > 0 {
						t.Errorf("left behind: %q", left)
					}
				},
				Config:           domains(account, "remove", names...),
				ConfigPlanChecks: plannedWhole(plancheck.ResourceActionCreate),
				Check:            are(t, account, names...),
			},
		},
	})
}

func TestMistakesInAListAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct {
		name    string
		domains []string
		want    string
	}{
		{"a public suffix", []string{"co.uk"}, `public\s+suffix`},
		{"two spellings of one", []string{"example.com", "Example.COM"}, `the same\s+domain`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: domains(account, "remove", row.domains...), PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func TestTheAccountsDomainsAreRead(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := account.ProviderBlock() + "data \"scimbridge_signup_domains\" \"all\" {}\noutput \"domains\" {\n" +
		"  value = data.scimbridge_signup_domains.all.domains\n}\n"
	output := func(names ...string) []statecheck.StateCheck {
		checks := make([]knownvalue.Check, len(names))
		for i, name := range names {
			checks[i] = knownvalue.StringExact(name)
		}
		return []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("domains", knownvalue.SetExact(checks))}
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config, ConfigStateChecks: output()},
			{PreConfig: func() {
				allow(t, account, "b.example", "a.example")
			}, Config: config, ConfigStateChecks: output("a.example", "b.example")},
		},
	})
}

// inFrontOf is the address of a proxy before the account that lets the test
// answer in its place.
func inFrontOf(t *testing.T, account *providertest.Account, answer func(http.ResponseWriter, *http.Request) bool,
) string {
	t.Helper()
	target, err := url.Parse(account.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// A list that left foreign domains alone gives none of them up by being
// destroyed that one under another name might remove unseen.
func TestAListUnderAnotherNameRemovesNoForeignDomains(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	allow(t, account, "somebodys.example")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: strings.Replace(domains(account, "report", "mine.example"), `"all"`, `"old"`, 1)},
			{
				Config:      domains(account, "remove", "mine.example"),
				ExpectError: regexp.MustCompile(`(?s)already\s+allowed.*somebodys\.example.*import \{`),
			},
		},
	})
	if now := allowed(t, account); !slices.Contains(now, "somebodys.example") {
		t.Errorf("the foreign domain was removed: %v are left", now)
	}
}
