package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
)

// BenchmarkRequests is what SCIM itself costs: to read a request and to encode
// the answer, over a directory that answers from memory.
func BenchmarkRequests(b *testing.B) {
	directory := newMemory()
	handler := scim.New(scim.Config{Directory: directory, BaseURL: "https://scim.example.com"})
	var ids []string
	for n := range 100 {
		p, err := directory.CreatePerson(b.Context(), bridge.PersonInput{Attributes: fmt.Appendf(nil, `{
			"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"person%d@example.com",
				"externalId":"e-%d","active":true,
			"displayName":"Ingrid Lindström","name":{"givenName":"Ingrid","familyName":"Lindström",
				"formatted":"Ingrid Lindström"},
			"emails":[{"value":"person%d@example.com","type":"work","primary":true},
				{"value":"i%d@home.example","type":"home"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"4711",
				"department":"Engineering"}}`,
			n, n, n, n)})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	for _, row := range []struct{ name, path string }{
		{"get a person", "/scim/v2/Users/" + ids[7]},
		{"get two attributes of a person", "/scim/v2/Users/" + ids[7] + "?attributes=userName,name.givenName"},
		{"list 100 people", "/scim/v2/Users?count=100"},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, row.path, nil)
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
