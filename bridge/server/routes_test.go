package server_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The paths of the bridge are a promise to pipelines, proxies and identity
// providers; with a row missing, a path would be SCIM's to answer.
func TestThePathsOfTheBridge(t *testing.T) {
	t.Parallel()
	var got []string
	for _, r := range newFace(t).routes {
		got = append(got, strings.TrimSpace(r.Method+" "+r.Path))
	}
	slices.Sort(got)
	want := []string{
		"/app/", "GET /", "GET /app", "GET /app/explain", "GET /app/holds", "GET /app/log", "GET /app/logs",
		"GET /app/page.js", "GET /app/people", "GET /app/sign-ins", "GET /app/style.css", "GET /app/support-bundle",
		"GET /favicon.ico", "GET /health", "GET /metrics", "GET /ping", "GET /ready", "POST /app/explain",
		"POST /app/holds", "POST /app/people/look", "POST /app/sign-in", "POST /app/sign-out", "POST /explain",
		"POST /preview",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// An operator who reads the access log or draws a graph must find every
// request there under the name of what it asked for.
func TestEveryRouteIsKnownToTheAccessLogAndTheMetrics(t *testing.T) {
	t.Parallel()
	for _, r := range newFace(t).routes {
		t.Run(r.Method+strings.ReplaceAll(r.Path, "/", "."), func(t *testing.T) {
			t.Parallel()
			if r.Name == "" || r.Name == "other" {
				t.Fatalf("the route %s is %q in the access log", r.Path, r.Name)
			}
			f := newFace(t)
			method, path := cmp.Or(r.Method, http.MethodGet), r.Path
			if strings.HasSuffix(path, "/") && path != "/" {
				path += "below"
			}
			req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader("token=right"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer right") // refused requests are logged together
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed {
				t.Errorf("%s %s was answered %s: the mux does not know the route", method, path, resp.Status)
			}
			if log := f.logText(); !strings.Contains(log, "route="+r.Name+" ") {
				t.Errorf("the access log does not name the route %q:\n%s", r.Name, log)
			}
			_, metrics, _ := f.get(t, "/metrics", "Bearer watch")
			want := fmt.Sprintf(`{method=%q,route=%q,`, method, r.Name)
			if !strings.Contains(metrics, want) || strings.Contains(metrics, `route="other"`) {
				t.Errorf("the metrics do not count %s", want)
			}
		})
	}
}

// A path of the bridge is never SCIM's, whatever the method: SCIM would ask
// for the identity provider's token.
func TestAWrongMethodAtAPathOfTheBridgeIsNotSCIMs(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	for _, path := range []string{"/", "/ping", "/ready", "/health", "/metrics", "/app", "/app/logs", "/explain",
		"/preview",
		"/favicon.ico"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, f.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if header := resp.Header.Get("Content-Type"); header == "application/scim+json" {
			t.Errorf("DELETE %s was answered by SCIM: %s", path, resp.Status)
		}
	}
}
