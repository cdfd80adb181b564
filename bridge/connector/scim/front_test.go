package scim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// attributesOfFew are those that a server with few of them keeps.
var attributesOfFew = []string{"schemas", "userName", "name", "displayName", "active", "emails", "externalId",
	"preferredLanguage"}

// Eight identity providers, played with all they are known to send, get right answers through the front before a far
// side that has all of these faults at once, but for attributes that it does not keep.
func TestTheFrontMakesAFarSideRight(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]habits{
		"a good server":        {},
		"no filters":           {filters: none},
		"filters are ignored":  {ignores: true},
		"userName eq alone":    {filters: userNameAlone, caseSensitive: true},
		"no versions":          {noVersions: true},
		"no PATCH":             {noPatch: true},
		"no PUT of people":     {noPut: true},
		"small pages":          {mostOnAPage: 20, totalsOfPage: true, filters: none},
		"nothing is unique":    {notUnique: true},
		"members are strict":   {refusesRepeat: true, refusesOthers: true, mostMembers: 7},
		"members are lax":      {keepsUnknown: true},
		"removals are ignored": {ignoresPaths: true},
		"removals empty":       {emptiesAll: true},
		"all of it": {filters: none, noVersions: true, noPatch: true, noSort: true, noExclude: true, mostOnAPage: 20,
			notUnique: true, created: http.StatusOK, noConfig: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, h)
			playAll(t, far.front(t))
		})
	}
}

// What is left of a server like the vendor's are the attributes that it does not keep, and each is told of.
func TestAttributesThatAreNotKeptAreNotLostInSilence(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: userNameAlone, noVersions: true, noSort: true, created: http.StatusOK,
		keeps: attributesOfFew})
	front := far.front(t)
	wrong := playScenarios(t, serve(t, front))
	kept := front.State().NotKept
	for _, o := range wrong {
		if !isNotKept(kept, o) {
			t.Errorf("%s %s %s: %s", o.Phase, o.Step, o.Request, o.Problem)
		}
	}
	if len(kept) < 5 || len(wrong) == 0 {
		t.Errorf("%d attributes are told of, %d steps are wrong: %v", len(kept), len(wrong), kept)
	}
}

// isNotKept reports whether an answer is wrong by an attribute of which it is told that it is not kept.
func isNotKept(kept []connector.NotKept, wrong simulate.Outcome) bool {
	return slices.ContainsFunc(kept, func(n connector.NotKept) bool {
		name := n.Attribute[strings.LastIndexByte(n.Attribute, ':')+1:]
		return strings.Contains(wrong.Problem+wrong.Request, name)
	})
}

func none(string) bool { return false }

func userNameAlone(text string) bool {
	return strings.HasPrefix(text, "userName eq ") && !strings.Contains(text, " and ")
}

// playAll plays all there is, and fails if a step is answered wrongly.
func playAll(t *testing.T, d bridge.Directory) {
	t.Helper()
	player := serve(t, d)
	for _, o := range playScenarios(t, player) {
		t.Errorf("%s %s %s: %s", o.Phase, o.Step, o.Request, o.Problem)
	}
	for idp, report := range playProviders(t, player) {
		if !report.OK() {
			var table strings.Builder
			_ = report.Document().WriteTables(&table, true)
			t.Errorf("%s:\n%s", idp, table.String())
		}
	}
}

// playProviders plays all identity providers with a generated company.
func playProviders(t *testing.T, player *simulate.Player) map[string]*simulate.Report {
	t.Helper()
	reports := make(map[string]*simulate.Report)
	for _, idp := range simulate.IdPs() {
		s := &simulate.Simulation{Player: player, IdP: idp, People: 25, Groups: 3, Domain: idp + ".example.com"}
		if s.Validate() != nil {
			s.Groups = 0 // google has none
		}
		report, err := s.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		reports[idp] = report
	}
	return reports
}

// serve runs the front and returns a player of identity providers against it.
func serve(t *testing.T, d bridge.Directory) *simulate.Player {
	t.Helper()
	handler := scim.New(scim.Config{Directory: d, BaseURL: "https://scim.example.com"})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer near" {
			refuse(w, http.StatusUnauthorized, "", "the bearer token is not right")
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return &simulate.Player{URL: front.URL + "/scim/v2", Client: front.Client(),
		Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer near") }}
}

// playScenarios plays what was recorded and reported, and returns what was answered wrongly.
func playScenarios(t *testing.T, player *simulate.Player) (wrong []simulate.Outcome) {
	t.Helper()
	for _, path := range []string{
		"../../simulate/exchanges.json", "../../scim/testdata/exchanges.json", "../../scim/testdata/reports.json",
	} {
		for _, scenario := range scenarios(t, path) {
			for _, o := range player.Play(t.Context(), scenario, true) {
				if o.Result == simulate.Wrong || o.Result == simulate.Skipped {
					wrong = append(wrong, o)
				}
			}
		}
	}
	return wrong
}

func scenarios(t *testing.T, path string) []simulate.Scenario {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Scenarios []simulate.Scenario `json:"scenarios"`
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Scenarios) < 8 {
		t.Fatalf("%s: %d scenarios, %v", path, len(file.Scenarios), err)
	}
	return file.Scenarios
}
