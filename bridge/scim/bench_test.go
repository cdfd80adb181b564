package scim_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
)

// BenchmarkRequests is what SCIM itself costs: reading the request and writing
// the answer, over a directory that answers from memory. Its own searches and
// copies are in the figures, too.
func BenchmarkRequests(b *testing.B) {
	directory := newMemory()
	handler := scim.New(scim.Config{Directory: directory, BaseURL: "https://scim.example.com"})
	var ids []string
	for n := range 100 {
		p, err := directory.CreatePerson(b.Context(), bridge.PersonInput{Attributes: fmt.Appendf(nil, `{
			"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"person%d@example.com","externalId":"e-%d","active":true,
			"displayName":"Ingrid Lindström","name":{"givenName":"Ingrid","familyName":"Lindström","formatted":"Ingrid Lindström"},
			"emails":[{"value":"person%d@example.com","type":"work","primary":true},{"value":"i%d@home.example","type":"home"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"4711","department":"Engineering"}}`, n, n, n, n)})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	find := "/scim/v2/Users?filter=" + url.QueryEscape(`userName eq "person7@example.com"`)
	for _, row := range []struct{ name, method, path, body string }{
		{"get a person", http.MethodGet, "/scim/v2/Users/" + ids[7], ""},
		{"get two attributes of a person", http.MethodGet, "/scim/v2/Users/" + ids[7] + "?attributes=userName,name.givenName", ""},
		{"find a person", http.MethodGet, find, ""},
		{"list 100 people", http.MethodGet, "/scim/v2/Users?count=100", ""},
		{"patch a person", http.MethodPatch, "/scim/v2/Users/" + ids[7],
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"name.familyName","value":"Berg"}]}`},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var body io.Reader
				if row.body != "" {
					body = bytes.NewReader([]byte(row.body))
				}
				r := httptest.NewRequestWithContext(b.Context(), row.method, row.path, body)
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
