package simulate

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// While other clients delete people, the pages of one reading may pass somebody over.
func TestWhoIsMissingMustBeSoInEachReading(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		without []string // in each reading
		right   bool
		asked   int
	}{
		{"nobody is missing", []string{""}, true, 1},
		{"one is passed over once", []string{"a", ""}, true, 2},
		{"another one is passed over each time", []string{"a", "b"}, true, 2},
		{"one is missing", []string{"a", "a", "a"}, false, readings},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				list := []object{}
				for _, id := range []string{"a", "b", "c"} {
					if id != row.without[min(asked, len(row.without)-1)] {
						list = append(list, object{"id": id, "active": true})
					}
				}
				asked++
				page := object{"totalResults": len(list), "itemsPerPage": len(list), "Resources": list}
				if err := json.NewEncoder(w).Encode(page); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			r := run{
				Simulation: &Simulation{Player: &Player{URL: server.URL, Client: server.Client(),
					Authorize: func(*http.Request) {}}},
				report: newReport(),
			}
			var staff []colleague
			for _, id := range []string{"a", "b", "c"} {
				staff = append(staff, colleague{person: person{userName: id, active: true}, id: id})
			}
			r.readBack(t.Context(), staff)
			if r.report.OK() != row.right || asked != row.asked {
				t.Errorf("right: %v, after %d readings; want %v, %d", r.report.OK(), asked, row.right, row.asked)
			}
		})
	}
}
