package account

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// answering answers every request so; 0 is none.
type answering int

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	if a == 0 {
		return nil, errors.New("the network is down")
	}
	return &http.Response{StatusCode: int(a), Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestRequestsToTheAccountAreCounted(t *testing.T) {
	t.Parallel()
	r := httpkit.NewMetrics("test")
	m := NewMeter(r)
	for _, row := range []struct {
		method, url string
		status      answering
	}{
		{"POST", "https://account.example.com/v1/auth/start", 200},
		{"DELETE", "https://account.example.com/v1/session", 204},
		{"PUT", "https://account.example.com/v1/session/heartbeat", 0},
		{"GET", "https://example.com/v1/behind/a/proxy/v1/directory/people/abcd", 404},
		{"GET", "https://example.com/v1/directory/people/ann%2Fv1%2Fgroups?filter=x", 404},
		{"POST", "https://example.com/v1/directory/people/abcd/confirm", 204},
		{"BREW", "https://example.com/v1/coffee/ann@example.com", 418},
		{"GET", "https://example.com", 200},
		{"GET", "https://scim.example.com/v1/tenant/scim/v2/Users?filter=x", 200},
		{"POST", "https://scim.example.com/scim/v2/Users", 201},
		{"PUT", "https://scim.example.com/scim/v2/Users/ann%2Fv1%2FGroups", 200},
		{"GET", "https://scim.example.com/Groups", 200},
		{"PATCH", "https://scim.example.com/Groups/Users", 204},
		{"GET", "https://scim.example.com/ServiceProviderConfig", 404},
		{"GET", "https://scim.example.com/scim/v2/Users/a/Groups/b/c", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), row.method, row.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.Transport(row.status).RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	const heartbeat = "https://account.example.com/v1/session/heartbeat"
	req, err := http.NewRequestWithContext(gone, http.MethodPut, heartbeat, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := m.Transport(answering(0)).RoundTrip(req); err == nil {
		resp.Body.Close()
	}
	answer := httptest.NewRecorder()
	r.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", http.NoBody))
	for _, want := range []string{
		`{method="POST",operation="auth/start",status="200"} 1`,
		`{method="DELETE",operation="session",status="204"} 1`,
		`{method="PUT",operation="session/heartbeat",status="none"} 1`,
		`{method="PUT",operation="session/heartbeat",status="canceled"} 1`,
		`{method="GET",operation="directory/people",status="404"} 2`,
		`{method="POST",operation="directory/people",status="204"} 1`,
		`{method="other",operation="other",status="418"} 1`,
		`{method="GET",operation="other",status="200"} 1`,
		`{method="GET",operation="scim/users",status="200"} 1`,
		`{method="POST",operation="scim/users",status="201"} 1`,
		`{method="PUT",operation="scim/users/id",status="200"} 1`,
		`{method="GET",operation="scim/groups",status="200"} 1`,
		`{method="PATCH",operation="scim/groups/id",status="204"} 1`,
		`{method="GET",operation="scim/service_provider_config",status="404"} 1`,
		`{method="GET",operation="other",status="404"} 1`,
	} {
		if !strings.Contains(answer.Body.String(), "\nscimbridge_connector_requests_total"+want+"\n") {
			t.Errorf("%s is missing in\n%s", want, answer.Body)
		}
	}
}
