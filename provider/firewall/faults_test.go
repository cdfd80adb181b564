package firewall_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A fault is what befalls one request to the account.
type fault func(w http.ResponseWriter, r *http.Request, account http.Handler)

// The request is answered with a problem, and never reaches the account.
func turnedAway(status int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"about:blank","title":"A fault","status":%d,"code":"fault"}`, status)
	}
}

// The request has its effect, and its answer is lost.
func answerLost(_ http.ResponseWriter, r *http.Request, account http.Handler) {
	account.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// The request has its effect, and half of its answer arrives.
func answerCut(w http.ResponseWriter, r *http.Request, account http.Handler) {
	whole := httptest.NewRecorder()
	account.ServeHTTP(whole, r)
	w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
	w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	panic(http.ErrAbortHandler)
}

// behind serves the account behind a network that fails: the first
// two with the method and path meet the fault.
func behind(t *testing.T, account *providertest.Account, method, path string, do fault) (provider string, met func() bool) {
	t.Helper()
	target, err := url.Parse(account.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, http.ErrAbortHandler) {
			w.WriteHeader(http.StatusBadGateway)
		}
	}
	var mu sync.Mutex
	times := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		faulty := times < 2 && r.Method == method && strings.HasPrefix(r.URL.Path, path)
		if faulty {
			times++
		}
		mu.Unlock()
		if faulty {
			do(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(account.ProviderBlock(), account.URL, server.URL, 1), func() bool {
		mu.Lock()
		defer mu.Unlock()
		return times > 0
	}
}

// A network that fails leaves neither a rule twice nor a state that knows less
// than the account has: the apply ends right and the next plan is empty.
func TestFaultsOfTheNetwork(t *testing.T) {
	t.Parallel()
	const (
		single = "resource \"scimbridge_firewall_rule\" \"it\" {\n  ip_ranges = [%q]\n}\n"
		policy = "resource \"scimbridge_firewall_policy\" \"it\" {\n  default_action = \"report\"\n  rules = {\n    it = { ip_ranges = [%q] }\n  }\n}\n"
	)
	for _, row := range []struct {
		name, method, path, config string
		fault                      fault
	}{
		{"a rule is made, and the answer lost", "POST", "/v1/firewall/rules", single, answerLost},
		{"a rule is made, and the answer cut", "POST", "/v1/firewall/rules", single, answerCut},
		{"too many requests", "POST", "/v1/firewall/rules", single, turnedAway(429)},
		{"a rule is changed, and the answer lost", "PUT", "/v1/firewall/rules", single, answerLost},
		{"a rule is changed on a bad day", "PUT", "/v1/firewall/rules", single, turnedAway(500)},
		{"a rule is deleted, and the answer lost", "DELETE", "/v1/firewall/rules", single, answerLost},
		{"the list is cut", "GET", "/v1/firewall", single, answerCut},
		{"the list is put off", "GET", "/v1/firewall", policy, turnedAway(503)},
		{"the policy is written, and the answer lost", "PATCH", "/v1/firewall", policy, answerLost},
		{"the policy is written, and the answer cut", "PATCH", "/v1/firewall", policy, answerCut},
		{"the policy is refused for a moment", "PATCH", "/v1/firewall", policy, turnedAway(429)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			provider, met := behind(t, account, row.method, row.path, row.fault)
			name := "scimbridge_firewall_rule.it"
			if row.config == policy {
				name = "scimbridge_firewall_policy.it"
			}
			step := func(ranges string, action plancheck.ResourceActionType) resource.TestStep {
				return resource.TestStep{
					Config:           provider + fmt.Sprintf(row.config, ranges),
					ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(name, action)}},
				}
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					step("192.0.2.0/24", plancheck.ResourceActionCreate),
					step("192.0.2.0/25", plancheck.ResourceActionUpdate),
				},
			})
			if !met() {
				t.Error("no request met the fault: the test proves nothing")
			}
			left := 0 // a rule is destroyed, a policy left as it is
			if row.config == policy {
				left = 1
			}
			if err := expectRules(t, account, left); err != nil {
				t.Error(err)
			}
		})
	}
}
