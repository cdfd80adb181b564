package stories

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// requirements lets Terraform find the provider that was built for this run.
const requirements = `
terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}
`

// many is a configuration of n rules and n sign-up domains.
func many(n int) string {
	return requirements + fmt.Sprintf(`
resource "scimbridge_firewall_rule" "many" {
  count     = %[1]d
  ip_ranges = ["10.${floor(count.index / 250)}.${count.index %% 250}.0/24"]
}

resource "scimbridge_signup_domain" "many" {
  count  = %[1]d
  domain = "d${count.index}.example"
}
`, n)
}

// asked counts the requests in the account's log by method and route.
func asked(account *providertest.Account) map[string]int {
	counts := make(map[string]int)
	for line := range strings.Lines(account.Log()) {
		if _, rest, ok := strings.Cut(line, "route=\""); ok {
			route, _, _ := strings.Cut(rest, "\"")
			counts[route]++
		}
	}
	return counts
}

// since returns the requests between two counts.
func since(before, after map[string]int) map[string]int {
	counts := make(map[string]int)
	for route, n := range after {
		if n -= before[route]; n > 0 {
			counts[route] = n
		}
	}
	return counts
}

// A plan over many objects costs as many calls as a plan over one, and an
// apply writes what changes, once.
func TestAPlanOverManyObjectsAsksForOneList(t *testing.T) {
	t.Parallel()
	const n = 110 // more than a page of the account has unless asked
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	expect := func(what string, got map[string]int, routes map[string]int) {
		t.Helper()
		for route, n := range got {
			if want, known := routes[route]; !known || n > want {
				t.Errorf("%s: %s was asked %d times, want at most %d", what, route, n, want)
			}
		}
		// An apply whose first write comes before its first evaluation asks for none: that is a read as well.
		for route, want := range routes {
			read := strings.HasPrefix(route, "GET ") || strings.HasSuffix(route, "/evaluate")
			if !read && got[route] != want {
				t.Errorf("%s: %s was asked %d times, want %d", what, route, got[route], want)
			}
		}
	}
	w.config(many(n))
	start := asked(account)
	w.apply(nil)
	applied := asked(account)
	const facts = 2 // one client plans, another applies
	expect("apply", since(start, applied), map[string]int{
		"POST /v1/firewall/rules": n, "POST /v1/signup-domains": n,
		// what exists is told at plan
		"GET /v1/whoami": facts, "GET /v1/firewall": facts, "GET /v1/signup-domains": facts,
		"GET /v1/bridges": facts, "POST /v1/firewall/evaluate": facts,
	})

	w.plan(nil).expectNoChanges(t)
	planned := asked(account)
	list := map[string]int{"GET /v1/whoami": 1, "GET /v1/firewall": 1, "GET /v1/signup-domains": 1}
	expect("a plan without changes", since(applied, planned), list)

	// One change is one write, however many objects there are.
	w.config(strings.Replace(many(n), "count     = ", "description = count.index == 7 ? \"the seventh\" : \"\"\n"+
		"  count     = ", 1))
	w.apply(nil)
	changed := asked(account)
	twice := map[string]int{
		"PUT /v1/firewall/rules/{id}": 1,
		"GET /v1/whoami":              facts, "GET /v1/firewall": facts, "GET /v1/signup-domains": facts,
		"GET /v1/bridges": facts, "POST /v1/firewall/evaluate": facts,
	}
	expect("an apply of one change", since(planned, changed), twice)
}
