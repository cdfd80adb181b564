package scim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

const token = "Bearer right"

// bearer stands for the bearer check, which is not this package's.
func bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != token {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"401","detail":"not this package's"}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func newHandler(d bridge.Directory, log hclog.Logger) http.Handler {
	return scim.New(scim.Config{Directory: d, BaseURL: "https://scim.example.com", Logger: log})
}

// serve runs the handler as a bridge does.
func serve(t *testing.T, d bridge.Directory, log hclog.Logger) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(bearer(newHandler(d, log)))
	t.Cleanup(server.Close)
	return server
}

func play(t *testing.T, scenarios []simulate.Scenario) {
	for _, base := range []string{"/scim/v2", "/scim", ""} {
		for _, scenario := range scenarios {
			t.Run(scenario.ID+" under "+base, func(t *testing.T) {
				t.Parallel()
				server := serve(t, newMemory(), nil)
				player := &simulate.Player{
					URL: server.URL + base, Client: server.Client(),
					Authorize: func(r *http.Request) { r.Header.Set("Authorization", token) },
				}
				for _, o := range player.Play(t.Context(), scenario, true) {
					switch o.Verdict {
					case simulate.Right:
					case simulate.Differs:
						t.Logf("soft: %s %s: %s", o.Step, o.Request, o.Problem)
					default:
						t.Errorf("%s %s: %s", o.Step, o.Request, o.Problem)
					}
				}
			})
		}
	}
}

// What identity providers were seen to send is answered as they expect.
func TestRecordedExchanges(t *testing.T) {
	t.Parallel()
	play(t, simulate.Exchanges())
}

// So is what they are known to send besides.
func TestFurtherExchanges(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/exchanges.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Scenarios []simulate.Scenario `json:"scenarios"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Scenarios) < 8 {
		t.Fatalf("%d scenarios are in the file, want at least 8", len(file.Scenarios))
	}
	play(t, file.Scenarios)
}
