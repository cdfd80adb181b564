package stories

import (
	"net/http"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The text of the main plans of sign-up domains, word for word.
func TestPlansOfDomainsReadWell(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	domains := func(arguments string) string {
		return "resource \"scimbridge_signup_domains\" \"all\" {\n" + arguments + "}\n"
	}
	plan := func(name, config string) {
		t.Helper()
		w.config(requirements + config)
		_, text := w.run(nil, "plan", "-no-color", "-input=false")
		held(t, name, text)
	}
	company := domains("  domains = [\"example.com\", \"example.org\"]\n")

	plan("domains-created", company)
	w.apply(nil)
	plan("domains-with-a-mail-provider", domains("  domains = [\"example.com\", \"example.org\", \"gmail.com\"]\n"))

	made, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "outlook.com"}))
	providertest.Expect(t, http.StatusCreated, made, err)
	plan("domains-with-a-foreign-one", company)
	plan("domains-that-report-a-foreign-one",
		domains("  domains = [\"example.com\", \"example.org\"]\n  on_unmanaged = \"report\"\n"))

	gone, err := apitest.Read[struct{}](account.API.DeleteSignupDomain(t.Context(), "outlook.com", nil))
	providertest.Expect(t, http.StatusNoContent, gone, err)
	plan("domains-destroyed", "")
}
