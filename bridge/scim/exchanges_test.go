package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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
			_,
				_ = io.WriteString(w,
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"401",`+
					`"detail":"not this package's"}`)
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

func play(t *testing.T, list []simulate.Scenario) {
	for _, base := range []string{"/scim/v2", "/scim", ""} {
		for _, scenario := range list {
			t.Run(scenario.ID+" under "+base, func(t *testing.T) {
				t.Parallel()
				server := serve(t, newMemory(), nil)
				player := &simulate.Player{
					URL: server.URL + base, Client: server.Client(),
					Authorize: func(r *http.Request) { r.Header.Set("Authorization", token) },
				}
				for _, o := range player.Play(t.Context(), scenario, true) {
					switch o.Result {
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
	play(t, scenarios(t, "testdata/exchanges.json", 8))
}

// Public bug reports of other servers, each with the answer that is right.
func TestReportedExchanges(t *testing.T) {
	t.Parallel()
	play(t, scenarios(t, "testdata/reports.json", 15))
}

// scenarios reads a file of at least so many.
func scenarios(t *testing.T, path string, least int) []simulate.Scenario {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := decodeScenarios(raw)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(list) < least {
		t.Fatalf("%d scenarios are in %s, want at least %d", len(list), path, least)
	}
	return list
}

// decodeScenarios refuses whatever would be a check that never fails.
func decodeScenarios(raw []byte) ([]simulate.Scenario, error) {
	var file struct {
		About     string              `json:"about"`
		Scenarios []simulate.Scenario `json:"scenarios"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	for _, scenario := range file.Scenarios {
		if len(scenario.Steps) == 0 {
			return nil, fmt.Errorf("scenario %q has no steps", scenario.ID)
		}
		for _, step := range scenario.Steps {
			if len(step.Expect) == 0 {
				return nil, fmt.Errorf("scenario %q: step %q expects no status", scenario.ID, step.ID)
			}
		}
	}
	return file.Scenarios, nil
}

func TestAScenarioThatCannotFailIsRefused(t *testing.T) {
	t.Parallel()
	const good = `{"about":"x","scenarios":[{"id":"a","steps":[{"id":"1","method":"GET","path":"/Users",` +
		`"expect":[200],` +
		`"check":[["id","set"]]}]}]}`
	if list, err := decodeScenarios([]byte(good)); err != nil || len(list) != 1 {
		t.Fatalf("a good file gives %v, %v", list, err)
	}
	for name, raw := range map[string]string{
		"an empty file":         ``,
		"an unknown operator":   strings.Replace(good, `"set"`, `"sets"`, 1),
		"an unknown field":      strings.Replace(good, `"check"`, `"checks"`, 1),
		"a step of no status":   strings.Replace(good, `"expect":[200],`, ``, 1),
		"a scenario of nothing": `{"scenarios":[{"id":"a"}]}`,
	} {
		if list, err := decodeScenarios([]byte(raw)); err == nil {
			t.Errorf("%s is read as %v", name, list)
		}
	}
}
