package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestExchangesAreComplete(t *testing.T) {
	t.Parallel()
	steps := map[string]bool{}
	for _, s := range Exchanges() {
		if s.ID == "" || s.Source == "" || len(s.Steps) == 0 {
			t.Errorf("scenario %q lacks an id, a source or steps", s.ID)
		}
		for _, step := range s.Steps {
			if steps[step.ID] || len(step.Expect) == 0 || step.Method == "" || !strings.HasPrefix(step.Path, "/") {
				t.Errorf("step %q comes twice, or lacks a method, a path or an expectation", step.ID)
			}
			steps[step.ID] = true
		}
	}
	if len(steps) < 100 {
		t.Errorf("%d steps are embedded, want at least 100", len(steps))
	}
}

func TestExchangesBelongToTheirCaller(t *testing.T) {
	t.Parallel()
	Exchanges()[0].Steps[0].Method = "BROKEN"
	if got := Exchanges()[0].Steps[0].Method; got == "BROKEN" {
		t.Error("one caller's change is seen by the next")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const answer = `{"n":2,"s":"2","yes":true,"none":null,"list":[{"v":"a"}],"bare":[],"Resources":[{},{}],` +
		`"urn:x:2.0:User":{"no.1":"z"}}`
	tests := []struct {
		name  string
		check string
		right bool
	}{
		{"eq compares values of one type", `["n","eq",2]`, true},
		{"eq does not take a text for a number", `["s","eq",2]`, false},
		{"eq wants the value to be there", `["gone","eq",null]`, false},
		{"eqs compares as text", `["n","eqs","2"]`, true},
		{"eqs tells texts apart", `["n","eqs","3"]`, false},
		{"set takes any value", `["yes","set"]`, true},
		{"set does not take null", `["none","set"]`, false},
		{"unset takes an absent value", `["gone","unset"]`, true},
		{"unset takes null", `["none","unset"]`, true},
		{"unset takes an empty list", `["bare","unset"]`, true},
		{"unset refuses a value", `["list","unset"]`, false},
		{"empty takes an absent list", `["gone","empty"]`, true},
		{"empty refuses a filled list", `["list","empty"]`, false},
		{"len counts a list", `["list","len",1]`, true},
		{"len refuses another count", `["list","len",2]`, false},
		{"len refuses what is no list", `["s","len",1]`, false},
		{"type knows lists", `["list","type","array"]`, true},
		{"type tells a number from a text", `["s","type","number"]`, false},
		{"pagelen counts the resources returned", `["n","pagelen"]`, true},
		{"pagelen takes no text", `["s","pagelen"]`, false},
		{"a dotted path goes through lists", `["list.0.v","eq","a"]`, true},
		{"a position outside the list leads nowhere", `["list.1.v","set"]`, false},
		{"a list of keys keeps dots", `[["urn:x:2.0:User","no.1"],"eq","z"]`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var c Check
			var v any
			if err := json.Unmarshal([]byte(tt.check), &c); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(answer), &v); err != nil {
				t.Fatal(err)
			}
			if fault := c.judge(v); (fault == "") != tt.right {
				t.Errorf("judged %q, want right=%v", fault, tt.right)
			}
		})
	}
}

func TestCheckRefusesAnUnknownOperator(t *testing.T) {
	t.Parallel()
	var c Check
	if err := json.Unmarshal([]byte(`["a","resembles","b"]`), &c); err == nil {
		t.Error("a check that nothing can judge was read")
	}
}

func TestEncodeQuery(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, want string }{
		{"a plain filter is encoded", `/Users?filter=a eq "x@y"`, `/Users?filter=a%20eq%20%22x%40y%22`},
		{"a plus in a plain filter is not a space", `/Users?filter=a eq "x+y"`, `/Users?filter=a%20eq%20%22x%2By%22`},
		{"an encoded value is sent as it is", `/Users?filter=a+eq+%22x%22`, `/Users?filter=a+eq+%22x%22`},
		{"spaces in an encoded value are encoded", `/Users?filter=a eq %22x%22`, `/Users?filter=a%20eq%20%22x%22`},
		{"every value stands for itself", `/Groups?a=b%20c&filter=d eq "e"`, `/Groups?a=b%20c&filter=d%20eq%20%22e%22`},
		{"a path without a query is left alone", `/Users/1`, `/Users/1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := encodeQuery(tt.path); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// player plays against a handler, with a random source that gives zeros.
func player(t *testing.T, h http.HandlerFunc) *Player {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &Player{
		URL: server.URL + "/scim/v2/", Client: server.Client(), RetryWindow: time.Minute,
		Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer t") },
		Random:    bytes.NewReader(make([]byte, 1<<20)),
	}
}

func TestPlayFillsInSavesAndTidies(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	p := player(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+string(body)+" "+r.Header.Get("Content-Type"))
		mu.Unlock()
		switch r.Method {
		case http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"7","userName":"u-aaaaaaaa"}`)
		case http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, `{"id":"7"}`)
		}
	})
	var s Scenario
	err := json.Unmarshal([]byte(`{"id":"s","headers":{"Content-Type":"application/json"},"steps":[
		{"id":"1","method":"POST","path":"/Users","body":{"userName":"u-{{R}}"},"expect":[201],"save":{"u":"id"},
			"check":[["userName","eq","u-{{R}}"]]},
		{"id":"2","method":"GET","path":"/Users/{{u}}","expect":[200],"check":[["id","eq","{{u}}"]]}]}`), &s)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range p.Play(t.Context(), s, true) {
		if o.Result != Right {
			t.Errorf("%s %s is %s: %s", o.Phase, o.Request, o.Result, o.Problem)
		}
	}
	want := []string{
		`POST /scim/v2/Users {"userName":"u-aaaaaaaa"} application/json`,
		`GET /scim/v2/Users/7  `,
		`DELETE /scim/v2/Users/7  `,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPlayJudges(t *testing.T) {
	t.Parallel()
	p := player(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"detail":"no such attribute"}`)
	})
	s := Scenario{Steps: []Step{
		{ID: "hard", Method: "GET", Path: "/Users", Expect: []int{200}, Save: map[string]string{"u": "id"}},
		{ID: "soft", Method: "GET", Path: "/Users", Expect: []int{200}, Soft: true},
		{ID: "lost", Method: "GET", Path: "/Users/{{u}}", Expect: []int{400}},
		{ID: "meant", Method: "GET", Path: "/Users", Expect: []int{400}},
	}}
	want := []Result{Wrong, Differs, Skipped, Right}
	for i, o := range p.Play(t.Context(), s, false) {
		if o.Result != want[i] {
			t.Errorf("%s is %s (%s), want %s", o.Step, o.Result, o.Problem, want[i])
		}
		if o.Step == "hard" && !strings.Contains(o.Problem, "no such attribute") {
			t.Errorf("the server's words are lost: %s", o.Problem)
		}
	}
}

func TestPlayWaitsForABusyServer(t *testing.T) {
	t.Parallel()
	calls := 0
	p := player(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s := Scenario{Steps: []Step{{ID: "1", Method: "GET", Path: "/Users", Expect: []int{200}}}}
	if o := p.Play(t.Context(), s, false)[0]; o.Result != Right || calls != 2 {
		t.Errorf("after %d calls: %s %s", calls, o.Result, o.Problem)
	}
	calls, p.RetryWindow = 0, 0
	if o := p.Play(t.Context(), s, false)[0]; o.Result != Wrong || calls != 1 {
		t.Errorf("without retries, after %d calls: %s %s", calls, o.Result, o.Problem)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name, header string
		want         time.Duration
	}{
		{"seconds", "30", 30 * time.Second},
		{"a time", "Sun, 29 Nov 2026 12:01:00 GMT", time.Minute},
		{"a time that is over", "Sun, 29 Nov 2026 11:00:00 GMT", 0},
		{"nothing", "", 0},
		{"no number", "soon", 0},
		{"a negative number", "-5", 0},
		{"a number beyond all bounds", "9223372036854775807", 1 << 20 * time.Second},
	} {
		h := http.Header{}
		h.Set("Retry-After", row.header)
		if got := retryAfter(h, now); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// A server's limit is on all requests, so all of them wait; and a server that is always busy does not hold up the run
// for ever.
func TestTheWaitForABusyServerEnds(t *testing.T) {
	t.Parallel()
	calls, pauses := 0, 0
	p := player(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusTooManyRequests)
	})
	p.RetryWindow = 1500 * time.Millisecond
	p.Waiting = func(int, time.Duration) { pauses++ }
	step := Step{Method: "GET", Path: "/Users", Expect: []int{200}}
	s := Scenario{Steps: []Step{step, step, step}}
	start := time.Now()
	for _, o := range p.Play(t.Context(), s, false) {
		if o.Result != Wrong || !strings.Contains(o.Problem, "status 429") {
			t.Errorf("it is %s: %s", o.Result, o.Problem)
		}
	}
	if took := time.Since(start); calls != 4 || pauses != 1 || p.Waited() < time.Second || took < time.Second {
		t.Errorf("%d calls in %v, %d pauses, waited %v", calls, took, pauses, p.Waited())
	}
}

// What follows from a write that is not supported is not the server's fault either, but other answers are.
func TestWhatIsDeclaredUnsupportedIsJudgedAsThat(t *testing.T) {
	t.Parallel()
	p := player(t, func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/scim/v2")
		switch {
		case path == "/ServiceProviderConfig":
			_, _ = io.WriteString(w, `{"schemas":["x"],"patch":{"supported":false},"filter":{"supported":false}}`)
		case path == "/ResourceTypes":
			_, _ = io.WriteString(w, `{"Resources":[{"name":"User","endpoint":"/Users"}]}`)
		case r.Method == http.MethodPatch || strings.HasPrefix(path, "/Groups"):
			w.WriteHeader(http.StatusNotImplemented)
		case path == "/Users":
			_, _ = io.WriteString(w, `{"totalResults":3}`)
		default:
			_, _ = io.WriteString(w, `{"active":true}`)
		}
	})
	if err := p.Reach(t.Context()); err != nil || strings.Join(p.Declared(), " ") != "filter groups patch" {
		t.Fatalf("declared is %v, %v", p.Declared(), err)
	}
	made := post("/Groups", object{"displayName": "g"})
	made.Save = map[string]string{"g": "id"}
	inactive := get("/Users/1", check(Path{"active"}, "eq", false))
	for _, row := range []struct {
		name string
		step Step
		want Result
	}{
		{"before a write", inactive, Wrong},
		{"a PATCH", patch("/Users/1", object{"op": "replace", "path": "active", "value": false}), Unsupported},
		{"what it would have changed", inactive, Unsupported},
		{"what is there", get("/Users/1", check(Path{"active"}, "eq", true)), Right},
		{"another status", Step{Method: "GET", Path: "/Users/1", Expect: []int{404}}, Wrong},
		{"a filter", get(`/Users?filter=userName eq "x"`, check(Path{"totalResults"}, "eq", 0.0)), Unsupported},
		{"a filter that is right", get(`/Users?filter=id pr`, check(Path{"totalResults"}, "eq", 3.0)), Right},
		{"a group", made, Unsupported},
		{"what needs its id", get("/Groups/{{g}}"), Unsupported},
		{"what nothing gives", get("/Users/{{u}}"), Skipped},
	} {
		s := Scenario{ID: "s", Steps: []Step{inactive, row.step}}
		if row.want != Wrong {
			s.Steps = []Step{patch("/Users/1"), made, row.step}
		}
		outcomes := p.Play(t.Context(), s, false)
		if o := outcomes[len(outcomes)-1]; o.Result != row.want {
			t.Errorf("%s is %s, want %s: %s", row.name, o.Result, row.want, o.Problem)
		}
	}
}

func TestReachSaysWhyNothingCanBePlayed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name          string
		config, users int // statuses
		body, want    string
	}{
		{"a server without discovery", 404, 200, `{"totalResults":0}`, ""},
		{"discovery for everyone, and a wrong token", 200, 401, `{"schemas":["x"]}`, "the bearer token is refused"},
		{"a token without rights", 403, 403, `{}`, "the bearer token is refused"},
		{"a page", 200, 200, `<html>`, "speaks no SCIM"},
		{"another path", 404, 404, `{"error":"not found"}`, "speaks no SCIM"},
		{"a server that is out of order", 500, 500, `{"schemas":["x"],"detail":"out\u001b[2J of order"}`,
			"cannot serve (500 Internal Server Error: out [2J of order)"},
		{"a redirect", 302, 200, ``, `redirects to "https://scim.example.com/"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := player(t, func(w http.ResponseWriter, r *http.Request) {
				status := row.users
				if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
					status = row.config
				}
				w.Header().Set("Location", "https://scim.example.com/")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, row.body)
			})
			p.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			err := p.Reach(t.Context())
			said := fmt.Sprint(err)
			if (row.want == "") != (err == nil) || !strings.Contains(said, row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// An id may have any characters.
func TestAnIDIsEscapedInAPath(t *testing.T) {
	t.Parallel()
	s, missing := variables{"u": "a/b c?"}.fill(get(`/Users/{{u}}?filter=id eq "{{u}}"`))
	if want := `/Users/a%2Fb%20c%3F?filter=id eq "a/b c?"`; s.Path != want || missing != "" {
		t.Errorf("got %s, want %s", s.Path, want)
	}
}
