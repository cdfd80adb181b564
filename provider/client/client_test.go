package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// faulty is an account that answers as each test wants. Faults are the one
// thing that the real service cannot be asked for.
func faulty(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Config{URL: server.URL, Token: "sba_secret", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c.API.Client.(*retryTransport).pause = func(int) time.Duration { return time.Millisecond }
	return c
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

var aCaller = api.Caller{AccountId: "acc_1", AccountName: "Test", Address: "192.0.2.1", TokenId: "tok_1"}

func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	key := "key"
	get := func(c *Client) error {
		_, err := Call[api.Caller](c.API.WhoAmI(t.Context()))
		return err
	}
	post := func(params *api.CreateSignupDomainParams) func(*Client) error {
		return func(c *Client) error {
			_, err := Call[api.SignupDomain](c.API.CreateSignupDomain(t.Context(), params,
				api.SignupDomainInput{Domain: "example.com"}))
			return err
		}
	}
	for _, row := range []struct {
		name   string
		status int
		call   func(*Client) error
		times  int32
	}{
		{"a read is repeated after 500", 500, get, maxAttempts},
		{"a read is repeated after 502", 502, get, maxAttempts},
		{"a read is repeated after 429", 429, get, maxAttempts},
		{"a read is not repeated after 403", 403, get, 1},
		{"a post with a key is repeated after 500", 500, post(&api.CreateSignupDomainParams{IdempotencyKey: &key}),
			maxAttempts},
		{"a post without a key is not repeated after 500, for it may have had its effect", 500, post(nil), 1},
		{"a post without a key is repeated after 503, for it had none", 503, post(nil), maxAttempts},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			c := faulty(t, func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				answer(w, row.status, api.Problem{Code: "some_code", Title: "Some title", Status: row.status})
			})
			if err := row.call(c); Code(err) != "some_code" {
				t.Errorf("error is %v, want the account's some_code", err)
			}
			if calls.Load() != row.times {
				t.Errorf("called %d times, want %d", calls.Load(), row.times)
			}
		})
	}
}

func TestARepeatedPostSendsTheSameBodyAndKey(t *testing.T) {
	t.Parallel()
	var seen []string
	c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Header.Get("Idempotency-Key")+" "+strings.TrimSpace(string(body)))
		if len(seen) < 3 {
			answer(w, 500, api.Problem{Code: "internal"})
			return
		}
		answer(w, 201, api.SignupDomain{Domain: "example.com"})
	})
	key := "k"
	if _, err := Call[api.SignupDomain](c.API.CreateSignupDomain(t.Context(),
		&api.CreateSignupDomainParams{IdempotencyKey: &key},
		api.SignupDomainInput{Domain: "example.com"})); err != nil {
		t.Fatal(err)
	}
	want := `k {"domain":"example.com"}`
	if len(seen) != 3 || seen[0] != want || seen[2] != want {
		t.Errorf("sent %q, want three times %q", seen, want)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	var times []time.Time
	c := faulty(t, func(w http.ResponseWriter, _ *http.Request) {
		times = append(times, time.Now())
		if len(times) == 1 {
			w.Header().Set("Retry-After", "1")
			answer(w, 429, api.Problem{Code: "too_many_requests"})
			return
		}
		answer(w, 200, aCaller)
	})
	if _, err := c.Caller(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(times) != 2 || times[1].Sub(times[0]) < time.Second {
		t.Errorf("called at %v, want twice, a second apart", times)
	}
}

func TestAPauseLongerThanTheCallMayTakeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	c := faulty(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		answer(w, 503, api.Problem{Code: "unavailable"})
	})
	begin := time.Now()
	if _, err := c.Caller(t.Context()); Code(err) != "unavailable" {
		t.Errorf("error is %v, want the account's", err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("took %s", took)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusFound)
	})
	if _, err := c.Caller(t.Context()); err == nil {
		t.Error("a redirect counts as an answer")
	}
}

func TestErrorsBecomeDiagnostics(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	for _, row := range []struct {
		name  string
		serve http.HandlerFunc
		want  []string
	}{
		{
			name: "a refusal names what was tried, code, text, request and remedy",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				answer(w, 401, api.Problem{Status: 401, Code: "unauthorized", Detail: text("this token was revoked"),
					RequestId: text("req_7")})
			},
			want: []string{"Tried to reach the account at http://127.0.0.1",
				"401 unauthorized: this token was revoked", "req_7",
				"SCIMBRIDGE_ACCOUNT_TOKEN"},
		},
		{
			name: "a lock-out names the subject, its address and the rule",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				answer(w, 409, api.Problem{Status: 409, Code: "would_lock_out", Title: "Would lock out",
					Details: &api.ProblemDetails{Who: text("bridge"), Instance: text("br_1"),
						Address: text("192.0.2.9"),
						RuleId:  text("rule_2")}})
			},
			want: []string{`bridge "br_1"`, "192.0.2.9", `rule "rule_2"`, "allow_lockout = true"},
		},
		{
			name: "a lock-out without a rule names the default action",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				answer(w, 409, api.Problem{Status: 409, Code: "would_lock_out", Title: "Would lock out",
					Details: &api.ProblemDetails{Who: text("caller"), Address: text("192.0.2.1")}})
			},
			want: []string{"the machine that runs Terraform", "192.0.2.1", "default action"},
		},
		{
			name: "a web page instead of an account is recognised",
			serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "<h1>Sign in</h1>")
			},
			want: []string{"text/html", "Check account_url"},
		},
		{
			name:  "a foreign 404 is recognised",
			serve: http.NotFound,
			want:  []string{"404", "does not serve the account API"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := faulty(t, row.serve)
			_, err := c.Caller(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			d := c.Diagnose("reach the account", err)
			if d.Summary() != "Cannot reach the account" {
				t.Errorf("title %q", d.Summary())
			}
			for _, want := range row.want {
				if !strings.Contains(d.Detail(), want) {
					t.Errorf("%q is missing in:\n%s", want, d.Detail())
				}
			}
			if strings.Contains(d.Detail(), "sba_secret") {
				t.Error("the admin token is in the diagnostic")
			}
		})
	}
}

func TestAForeign404IsNotAMissingObject(t *testing.T) {
	t.Parallel()
	c := faulty(t, http.NotFound)
	_, err := Call[api.SignupDomain](c.API.GetSignupDomain(t.Context(), "example.com"))
	if NotFound(err) {
		t.Error("a proxy's 404 would remove the resource from the state")
	}
}

func TestUnusableConfigurations(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, url, pem, want string
	}{
		{"no scheme", "account.example.com", "", "must look like"},
		{"another scheme", "ftp://account.example.com", "", "must look like"},
		{"clear text to another machine", "http://account.example.com", "", "use https"},
		{"credentials within", "https://me:secret@account.example.com", "", "account_token"},
		{"no certificate", "https://account.example.com", "nonsense", "no certificate"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{URL: row.url, CACertificatePEM: row.pem})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	for _, good := range []string{
		"http://127.0.0.1:8600", "http://[::1]:8600", "http://localhost", "https://account.example.com/base/",
	} {
		if _, err := New(Config{URL: good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestAnUnknownConfigurationFailsAtTheFirstCall(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Unknown: []string{"account_url", "account_token"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Known() {
		t.Error("known")
	}
	_, err = c.Caller(t.Context())
	d := c.Diagnose("reach the account", err)
	if !strings.Contains(d.Detail(), "ot known yet in the provider block: account_url, account_token") {
		t.Errorf("diagnostic: %s", d.Detail())
	}
}

// private is a resource's private state.
type private map[string][]byte

func (p private) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) { return p[key], nil }
func (p private) SetKey(_ context.Context, key string, value []byte) diag.Diagnostics {
	p[key] = value
	return nil
}

func TestAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	state := private{}
	first := faulty(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, aCaller) })
	second := faulty(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, api.Caller{AccountId: "acc_2"}) })

	var diags diag.Diagnostics
	if id, ok := first.SameAccount(t.Context(), state, &diags); !ok || id != "acc_1" {
		t.Fatalf("first account: %q, %v, %v", id, ok, diags)
	}
	if _, ok := first.SameAccount(t.Context(), state, &diags); !ok {
		t.Errorf("the same account is refused: %v", diags)
	}
	if _, ok := second.SameAccount(t.Context(), state, &diags); ok || !diags.HasError() {
		t.Error("another account is taken for the first")
	} else if text := diags[0].Detail(); !strings.Contains(text, "acc_1") || !strings.Contains(text, "acc_2") {
		t.Errorf("the error names not both: %s", text)
	}
}
