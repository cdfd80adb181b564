package account_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	service "github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// faults is a network that fails on demand. hit decides on each request;
// returning nil lets it pass.
type faults struct {
	real http.RoundTripper
	mu   sync.Mutex
	hit  func(*http.Request) func() (*http.Response, error)
	seen []string
	// creds are those that signedIn signed in with.
	creds session.Integration
}

func (f *faults) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.seen = append(f.seen, req.Method+" "+req.URL.Path)
	hit := f.hit
	f.mu.Unlock()
	if hit != nil {
		if answer := hit(req); answer != nil {
			return answer()
		}
	}
	return f.real.RoundTrip(req)
}

func (f *faults) set(hit func(*http.Request) func() (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hit = hit
}

func (f *faults) count(request string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.seen {
		if s == request {
			n++
		}
	}
	return n
}

// once applies hit to the first request that matches.
func once(request string, hit func(*http.Request) func() (*http.Response, error),
) func(*http.Request) func() (*http.Response, error) {
	var first sync.Once
	return func(req *http.Request) (answer func() (*http.Response, error)) {
		if req.Method+" "+req.URL.Path == request {
			first.Do(func() { answer = hit(req) })
		}
		return answer
	}
}

// A change of many members takes the account longer than an identity provider
// waits for anything else. Giving up on it would tell of a failure that is none.
func TestTheTimeoutGrowsWithTheMembers(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	ids := make([]string, 100_000)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	var left time.Duration
	network.set(func(req *http.Request) func() (*http.Response, error) {
		if !strings.Contains(req.URL.Path, "/groups") {
			return nil
		}
		if deadline, bounded := req.Context().Deadline(); bounded {
			left = time.Until(deadline)
		}
		// The account is spared the work.
		return func() (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusRequestEntityTooLarge,
				Header:     http.Header{"Content-Type": {"application/problem+json"}},
				Body:       io.NopCloser(strings.NewReader(`{"code":"too_large","title":"Too large"}`)),
			}, nil
		}
	})
	for _, row := range []struct {
		name         string
		ask          func() error
		least, bound time.Duration
	}{
		{"a rename", func() error {
			_, err := c.UpdateGroup(t.Context(), "g",
				bridge.GroupChange{Attributes: json.RawMessage(`{"displayName":"h"}`)}, "",
				false)
			return err
		}, 0, 26 * time.Second},
		{"all people by PUT", func() error {
			_, err := c.UpdateGroup(t.Context(), "g", bridge.GroupChange{Replace: &ids}, "", false)
			return err
		}, 90 * time.Second, 5 * time.Minute},
		{"all people at once", func() error {
			_, err := c.CreateGroup(t.Context(), bridge.GroupInput{
				Attributes: json.RawMessage(`{"displayName":"all"}`), Members: ids,
			})
			return err
		}, 90 * time.Second, 5 * time.Minute},
	} {
		left = -1
		if err := row.ask(); bridge.CodeOf(err) != bridge.TooLarge {
			t.Errorf("%s: %v", row.name, err)
		}
		if left < row.least || left > row.bound {
			t.Errorf("%s may take %s, want %s to %s", row.name, left, row.least, row.bound)
		}
	}
}

const managerEmail = "manager@example.com"

// signedIn returns a connector that works against a real account over a
// network that can fail.
func signedIn(t testing.TB) (*account.Connector, *faults) {
	t.Helper()
	c, network, _ := signedInWithAdmin(t)
	return c, network
}

// signedInWithAdmin returns an administrator's client of that account, too.
func signedInWithAdmin(t testing.TB) (*account.Connector, *faults, *api.Client) {
	t.Helper()
	rows, err := store.Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	model, err := service.Create(t.Context(), rows, "Test", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := model.CreateToken(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	handler := server.New(server.Config{Account: model, Logger: hclog.NewNullLogger()})
	network := &faults{real: account.InProcess(handler, netip.MustParseAddr("127.0.0.1"))}
	secrets, enrolment, err := client.Enrol(model.ID, managerEmail, 1, signin.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := api.NewClient("http://127.0.0.1", api.WithHTTPClient(&http.Client{Transport: network}),
		api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	made, err := apitest.Read[api.Provisioning](admin.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: managerEmail, Enrolment: enrolment, Session: "sealed",
	}))
	if err != nil || made.Value == nil {
		t.Fatalf("activating: %v %s", err, made.Body)
	}

	c := account.New(account.Config{
		Bridge:      api.BridgeIdentity{Instance: "test", Version: "test", Revision: "r"},
		Transport:   network,
		Log:         hclog.NewNullLogger(),
		Now:         time.Now,
		Random:      rand.Reader,
		Heartbeat:   200 * time.Millisecond,
		RetryAtMost: 200 * time.Millisecond,
		// A loaded machine with the race detector signs in slowly.
		WaitTimeout:    5 * time.Minute,
		AttemptTimeout: 5 * time.Minute,
		Health:         func() health.Health { return health.Health{State: health.Healthy} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	network.creds = session.Integration{AccountURL: "http://127.0.0.1", AccountID: model.ID, Email: managerEmail,
		Secrets: secrets}
	c.SetCredentials(network.creds, 1)
	awaitPhase(t, c, account.SignedIn)
	return c, network, admin
}

func awaitPhase(t testing.TB, c *account.Connector, phase account.Phase) {
	t.Helper()
	await(t, c, string(phase), func() bool { return c.State().Phase == phase })
}

func await(t testing.TB, c *account.Connector, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute) // reached only by a connector that is broken
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("the connector never was %s: %+v", what, c.State())
		}
		<-tick.C
	}
}

func input(userName string) bridge.PersonInput {
	return bridge.PersonInput{Attributes: json.RawMessage(`{"userName":"` + userName + `"}`), SignInAddress: userName}
}

var errCut = errors.New("connection reset by peer")

const peoplePath = "/v1/directory/people"

func TestALostAnswerCreatesNobodyTwice(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	network.set(once("POST "+peoplePath, func(req *http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			resp, err := network.real.RoundTrip(req) // it arrives, and the answer does not
			if err != nil {
				return nil, err
			}
			resp.Body.Close()
			return nil, errCut
		}
	}))
	p, err := c.CreatePerson(t.Context(), input("a@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if n := network.count("POST " + peoplePath); n != 2 {
		t.Errorf("the creation was sent %d times, want 2", n)
	}
	page, err := c.SearchPeople(t.Context(), bridge.Query{Limit: 10})
	if err != nil || page.Total != 1 || page.Items[0].ID != p.ID {
		t.Errorf("people: %+v, %v", page, err)
	}
}

func TestALostAnswerToADeleteIsASuccess(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	p, err := c.CreatePerson(t.Context(), input("a@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	network.set(once("DELETE "+peoplePath+"/"+p.ID, func(req *http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			resp, err := network.real.RoundTrip(req)
			if err != nil {
				return nil, err
			}
			resp.Body.Close()
			return nil, errCut
		}
	}))
	if err := c.DeletePerson(t.Context(), p.ID, ""); err != nil {
		t.Errorf("the first delete: %v", err)
	}
	if err := c.DeletePerson(t.Context(), p.ID, ""); bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("the second delete: %v, want not_found", err)
	}
}

func TestAConditionalWriteIsNotRepeatedAfterALostAnswer(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	p, err := c.CreatePerson(t.Context(), input("a@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	path := "PUT " + peoplePath + "/" + p.ID
	network.set(once(path, func(*http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, errCut }
	}))
	_, err = c.ReplacePerson(t.Context(), p.ID, input("b@example.com"), p.Version)
	if !errors.Is(err, bridge.ErrUnavailable) || network.count(path) != 1 {
		t.Errorf("got %v after %d requests: whether it was done is not known, "+
			"and a repetition could be refused for its own sake", err, network.count(path))
	}
}

// A proxy in front of the account that loses the connection to it tells the
// bridge no more than a broken connection does.
func TestAGatewaysErrorIsALostAnswer(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadGateway, http.StatusGatewayTimeout} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			c, network := signedIn(t)
			p, err := c.CreatePerson(t.Context(), input("a@example.com"))
			if err != nil {
				t.Fatal(err)
			}
			path := peoplePath + "/" + p.ID
			lose := func(req *http.Request) func() (*http.Response, error) {
				return func() (*http.Response, error) {
					resp, err := network.real.RoundTrip(req)
					if err != nil {
						return nil, err
					}
					resp.Body.Close()
					return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/html"}},
						Body: io.NopCloser(strings.NewReader("<html>"))}, nil
				}
			}
			network.set(once("PUT "+path, lose))
			_, err = c.ReplacePerson(t.Context(), p.ID, input("b@example.com"), p.Version)
			if !errors.Is(err, bridge.ErrUnavailable) || network.count("PUT "+path) != 1 {
				t.Errorf("a conditional write: got %v after %d requests; "+
					"a repetition is refused because the first one counted",
					err, network.count("PUT "+path))
			}
			network.set(once("DELETE "+path, lose))
			if err := c.DeletePerson(t.Context(), p.ID, ""); err != nil {
				t.Errorf("a delete that had its effect: %v", err)
			}
		})
	}
}

func TestASessionThatEndsIsReplacedUnderARequest(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	network.set(once("POST "+peoplePath+"/search", func(*http.Request) func() (*http.Response, error) {
		return answer(http.StatusUnauthorized, sessionEnded)
	}))
	before := network.count("POST /v1/auth/finish")
	if _, err := c.SearchPeople(t.Context(), bridge.Query{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if n := network.count("POST /v1/auth/finish") - before; n != 1 {
		t.Errorf("%d sign-ins, want 1", n)
	}
}

// All of them are under way with the session that ends, and learn it at once.
func TestManyRequestsSignInOnce(t *testing.T) {
	t.Parallel()
	const requests = 20
	c, network := signedIn(t)
	before := network.count("POST /v1/auth/finish")
	var arrived sync.WaitGroup
	arrived.Add(requests)
	var ended atomic.Value // the token of the session that the first request carries
	network.set(func(req *http.Request) func() (*http.Response, error) {
		if req.Method+" "+req.URL.Path != "POST "+peoplePath+"/search" {
			return nil
		}
		token := req.Header.Get("Authorization")
		ended.CompareAndSwap(nil, token)
		if ended.Load() != token {
			return nil
		}
		return func() (*http.Response, error) {
			arrived.Done()
			arrived.Wait()
			return answer(http.StatusUnauthorized, sessionEnded)()
		}
	})
	var all sync.WaitGroup
	for range requests {
		all.Go(func() {
			if _, err := c.SearchPeople(t.Context(), bridge.Query{Limit: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := network.count("POST /v1/auth/finish") - before; n != 1 {
		t.Errorf("%d sign-ins for %d requests whose session ended, want 1", n, requests)
	}
}

const sessionEnded = `{"type":"about:blank","title":"no","status":401,"code":"session_ended"}`

func TestRefusalsKeepTheAccountsWords(t *testing.T) {
	t.Parallel()
	c, _ := signedIn(t)
	if _, err := c.CreatePerson(t.Context(), input("a@example.com")); err != nil {
		t.Fatal(err)
	}
	p, err := c.CreatePerson(t.Context(), input("b@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	_, taken := c.CreatePerson(t.Context(), input("A@example.com"))
	_, unknown := c.Person(t.Context(), "nobody")
	_, outdated := c.ReplacePerson(t.Context(), p.ID, input("c@example.com"), `"old"`)
	_, filter := c.SearchPeople(t.Context(), bridge.Query{Limit: 1, Cursor: "made up"})
	for _, row := range []struct {
		name string
		err  error
		code bridge.Code
	}{
		{"a userName that is taken, in other case", taken, bridge.UserNameTaken},
		{"an unknown id", unknown, bridge.NotFound},
		{"a version that is outdated", outdated, bridge.VersionMismatch},
		{"a cursor that the account did not give", filter, bridge.InvalidCursor},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e, ok := errors.AsType[*bridge.Error](row.err)
			if !ok || e.Code != row.code || e.Detail == "" {
				t.Errorf("got %v, want %s with a detail", row.err, row.code)
			}
		})
	}
}

func TestWhatAProxySaysIsNoAnswerOfADirectory(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		header http.Header
	}{
		{"a 404 page, which would make clients forget the person", http.StatusNotFound, http.Header{
			"Content-Type": {"text/html"},
		}},
		{"a redirect, which would carry the session elsewhere", http.StatusFound, http.Header{
			"Location": {"http://127.0.0.1:1/"},
		}},
		{"a bad gateway", http.StatusBadGateway, http.Header{"Content-Type": {"text/html"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, network := signedIn(t)
			network.set(func(req *http.Request) func() (*http.Response, error) {
				if !strings.HasPrefix(req.URL.Path, peoplePath) {
					return nil
				}
				return func() (*http.Response, error) {
					return &http.Response{
							StatusCode: row.status, Header: row.header, Body: io.NopCloser(strings.NewReader("<html>")),
						},
						nil
				}
			})
			if _, err := c.Person(t.Context(), "x"); !errors.Is(err, bridge.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		})
	}
}

// Something in front of the account may let the heartbeat pass and nothing
// else: then nothing is healthy, and what answers is named.
func TestWhatAnswersInTheAccountsPlaceIsNamed(t *testing.T) {
	t.Parallel()
	page := func(status int, kind, body string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {kind}, "Server": {"nginx"}},
				Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		}
	}
	for _, row := range []struct {
		name, path string
		answer     func() (*http.Response, error)
		want       string
	}{
		{"a 404 page to requests of the directory", peoplePath, page(404, "text/html", "<html>"),
			`404 Not Found of the type "text/html" from "nginx"`},
		{"a 200 page to requests of the directory", peoplePath, page(200, "text/html", "<html>"),
			`200 OK of the type "text/html" from "nginx"`},
		{"a 400 page to requests of the directory", peoplePath, page(400, "text/html", "<html>"),
			`400 Bad Request of the type "text/html" from "nginx"`},
		{"a 401 page to requests of the directory", peoplePath, page(401, "text/html", "<html>"),
			`401 Unauthorized of the type "text/html" from "nginx"`},
		{"a 404 page to everything", "", page(404, "text/html", "<html>"),
			`404 Not Found of the type "text/html" from "nginx"`},
		{"a 200 page to everything", "", page(200, "text/html; charset=utf-8", "<html>"),
			`200 OK of the type "text/html; charset=utf-8" from "nginx"`},
		{"JSON that is no account's to everything", "",
			page(200, "application/json", `{"status":"ok"}`), `speaks JSON`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, network := signedIn(t)
			network.set(func(req *http.Request) func() (*http.Response, error) {
				if strings.HasPrefix(req.URL.Path, row.path) {
					return row.answer
				}
				return nil
			})
			if p, err := c.Person(t.Context(), "x"); row.path != "" && !errors.Is(err, bridge.ErrUnavailable) {
				t.Errorf("a request got %v, %v; want ErrUnavailable", p, err)
			}
			c.NotifyHeartbeat()
			await(t, c, "unhealthy because of what answers", func() bool {
				r := c.Report()
				return r.State == health.Unhealthy && len(r.Problems) == 1 &&
					r.Problems[0].Code == problem.AccountUnreachable &&
					strings.Contains(r.Problems[0].Cause, row.want)
			})
			network.set(nil)
			await(t, c, "healthy again", func() bool {
				_, err := c.Person(t.Context(), "x")
				return bridge.CodeOf(err) == bridge.NotFound && c.Report().State == health.Healthy
			})
		})
	}
}

func TestAnImpostorGetsNoSession(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	network.set(func(req *http.Request) func() (*http.Response, error) {
		switch req.URL.Path {
		case "/v1/session/heartbeat":
			return answer(http.StatusUnauthorized, sessionEnded)
		case "/v1/auth/finish":
			return func() (*http.Response, error) {
				resp, err := network.real.RoundTrip(req)
				if err != nil {
					return nil, err
				}
				var in api.SignedIn
				if err := json.NewDecoder(resp.Body).Decode(&in); err != nil {
					return nil, err
				}
				in.Proof = strings.Repeat("A", 43)
				body, err := json.Marshal(in)
				resp.Body = io.NopCloser(bytes.NewReader(body))
				return resp, err
			}
		}
		return nil
	})
	awaitPhase(t, c, account.Unreachable)
	if p := c.State().Problem; !strings.Contains(p.Cause, "not the account that the session was made for") {
		t.Errorf("the cause: %s", p.Cause)
	}
	if _, err := c.Person(t.Context(), "x"); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("a request meanwhile: %v, want ErrUnavailable", err)
	}
	network.set(nil)
	awaitPhase(t, c, account.SignedIn)
}

func answer(status int, body string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return &http.Response{
			StatusCode: status,
			Header:     http.Header{"Content-Type": {"application/problem+json"}},
			Body:       io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// An account whose database's server is lost while it commits does not know whether it has done what was asked.
func TestADatabaseThatIsAwayIsALostAnswer(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	p, err := c.CreatePerson(t.Context(), input("a@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	path := peoplePath + "/" + p.ID
	lose := func(req *http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			resp, err := network.real.RoundTrip(req)
			if err != nil {
				return nil, err
			}
			resp.Body.Close()
			return &http.Response{
				StatusCode: http.StatusServiceUnavailable,
				Header:     http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {"2"}},
				Body:       io.NopCloser(strings.NewReader(`{"code":"database_unavailable","title":"Away"}`)),
			}, nil
		}
	}
	network.set(once("PUT "+path, lose))
	_, err = c.ReplacePerson(t.Context(), p.ID, input("b@example.com"), p.Version)
	if !errors.Is(err, bridge.ErrUnavailable) || network.count("PUT "+path) != 1 {
		t.Errorf("a conditional write: got %v after %d requests", err, network.count("PUT "+path))
	}
	network.set(once("DELETE "+path, lose))
	if err := c.DeletePerson(t.Context(), p.ID, ""); err != nil {
		t.Errorf("a deletion: %v", err)
	}
	network.set(once("POST "+peoplePath, lose))
	if _, err := c.CreatePerson(t.Context(), input("c@example.com")); err != nil {
		t.Errorf("a creation: %v", err)
	}
}

// A balancer gives the next connection to another server of the account.
func TestAHeartbeatThatIsCutIsRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	const path = "POST /v1/session/heartbeat"
	calm := network.count(path) + 2
	await(t, c, "heard of", func() bool { return network.count(path) > calm })
	select {
	case <-c.Changes():
	default:
	}
	network.set(once(path, func(*http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, errCut }
	}))
	before := network.count(path)
	await(t, c, "heard of", func() bool { return network.count(path) > before+3 })
	select {
	case <-c.Changes():
		t.Errorf("its state has changed: %+v", c.State())
	default:
	}
}
