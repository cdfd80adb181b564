package stories

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// A scimServer is a far side that can be brought into each of its problems: it has people
// without nickName, and no groups.
type scimServer struct {
	t       *testing.T
	address string
	http    *http.Server

	mu      sync.Mutex
	tokens  []string // that it accepts
	limited bool     // it asks to be left alone
	people  []map[string]any
}

const firstFarToken, secondFarToken = "first-far-token", "second-far-token"

// newSCIMServer starts a server that accepts firstFarToken.
func newSCIMServer(t *testing.T) *scimServer {
	t.Helper()
	s := &scimServer{t: t, address: providertest.FreeAddress(t), tokens: []string{firstFarToken}}
	s.up()
	t.Cleanup(func() { s.down() })
	return s
}

func (s *scimServer) url() string { return "http://" + s.address + "/scim/v2" }

// up serves until down is called.
func (s *scimServer) up() {
	s.t.Helper()
	l := ports.Listen(s.t, s.address)
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(l) }()
}

func (s *scimServer) down() { s.http.Close() }

// set changes the server.
func (s *scimServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *scimServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body := s.answer(r)
	w.Header().Set("Content-Type", "application/scim+json")
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *scimServer) answer(r *http.Request) (status int, body map[string]any) {
	refuse := func(status int) (int, map[string]any) {
		return status, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": fmt.Sprint(status),
		}
	}
	list := func(all []map[string]any) (int, map[string]any) {
		return http.StatusOK, map[string]any{
			"schemas":      []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
			"totalResults": len(all), "startIndex": 1, "itemsPerPage": len(all), "Resources": all,
		}
	}
	path := strings.TrimPrefix(r.URL.Path, "/scim/v2")
	switch {
	case !slices.Contains(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")):
		return refuse(http.StatusUnauthorized)
	case s.limited:
		return refuse(http.StatusTooManyRequests)
	case path == "/Groups" && r.Method == http.MethodPost:
		return refuse(http.StatusNotImplemented)
	case path == "/Groups":
		return list([]map[string]any{})
	case path == "/Users" && r.Method == http.MethodPost:
		person := map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(&person); err != nil {
			return refuse(http.StatusBadRequest)
		}
		delete(person, "nickName")
		person["id"] = fmt.Sprint(len(s.people) + 1)
		s.people = append(s.people, person)
		return http.StatusCreated, person
	case path == "/Users" && (r.URL.Query().Get("filter") != "" || r.URL.Query().Get("startIndex") > "1"):
		return list([]map[string]any{})
	case path == "/Users":
		return list(s.people)
	}
	for i, person := range s.people {
		if path != "/Users/"+person["id"].(string) {
			continue
		}
		if r.Method == http.MethodPut {
			s.people[i] = map[string]any{}
			if err := json.NewDecoder(r.Body).Decode(&s.people[i]); err != nil {
				return refuse(http.StatusBadRequest)
			}
			s.people[i]["id"] = person["id"]
		}
		return http.StatusOK, s.people[i]
	}
	return refuse(http.StatusNotFound)
}

// A frontWorld is a world whose bridge stands before a SCIM server.
type frontWorld struct {
	*world
	server *scimServer
	token  session.Token
	// bearer and session are the files that remedies have placeholders for.
	bearer, session string
	flags           string // of scim-bridge serve
	stop            func()
}

func newFront(t *testing.T) *frontWorld {
	t.Helper()
	w := newWorld(t)
	server := newSCIMServer(t)
	if err := os.MkdirAll(w.dataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := &frontWorld{world: w, server: server, token: newToken(t),
		bearer: filepath.Join(w.dataDir, "token"), session: filepath.Join(w.dataDir, "session")}
	write(t, f.bearer, f.token.Reveal())
	w.ran(vars{"token": f.token.Reveal()})
	w.shell("scim-bridge session seal --directory "+server.url()+" --bearer-token-file "+f.bearer+" -o "+f.session,
		firstFarToken, nil)
	f.start()
	w.healed()
	return f
}

func (f *frontWorld) start() {
	f.stop = f.byHand(serveByHand + `--unseal-token-file "$DIR/token"` + f.flags)
}

// restart starts the bridge again, as remedies say.
func (f *frontWorld) restart() {
	f.stop()
	f.start()
}

func (f *frontWorld) create(userName string, more string) {
	f.t.Helper()
	f.scim(f.token, http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+
		userName+`"`+more+`}`, http.StatusCreated)
}

var directoryRemedies = []remedy{
	{problem.DirectoryUnreachable, "a server that does not run", func(t *testing.T) {
		f := newFront(t)
		f.server.down()
		f.request(f.token, http.MethodGet, "/scim/v2/Users", nil)
		p := f.problem(problem.DirectoryUnreachable)
		look := regexp.MustCompile(`^curl -i (\S+)$`).FindStringSubmatch(command(t, p.Remedy, "curl"))
		if look == nil || look[1] != f.server.url()+"/ServiceProviderConfig" {
			t.Fatalf("the command should ask %s: %s", f.server.url(), p.Remedy)
		}
		f.server.up()
		if resp, err := http.Get(look[1]); err != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %v, %v", look[1], resp, err)
		}
		f.healed()
	}},
	{problem.DirectoryTokenRefused, "a token that was revoked", func(t *testing.T) {
		f := newFront(t)
		f.server.set(func() { f.server.tokens = []string{secondFarToken} })
		f.request(f.token, http.MethodGet, "/scim/v2/Users", nil)
		p := f.problem(problem.DirectoryTokenRefused)
		seal := strings.NewReplacer("BEARER_TOKEN", f.bearer, "SESSION", f.session).Replace(
			command(t, p.Remedy, "scim-bridge session seal"))
		f.shell(seal, secondFarToken+"\n", nil)
		f.restart()
		f.healed()
		f.scim(f.token, http.MethodGet, "/Users", nil, http.StatusOK) // by the bearer token as before
	}},
	{problem.DirectoryRateLimited, "a server that limits the requests", func(t *testing.T) {
		f := newFront(t)
		f.server.set(func() { f.server.limited = true })
		f.request(f.token, http.MethodGet, "/scim/v2/Users", nil)
		f.problem(problem.DirectoryRateLimited)
		f.server.set(func() { f.server.limited = false })
		f.scim(f.token, http.MethodGet, "/Users", nil, http.StatusOK)
		f.healed()
	}},
	{problem.DirectoryCapabilityMissing, "groups at a server that has none", func(t *testing.T) {
		f := newFront(t)
		if status, body := f.request(f.token, http.MethodPost, "/scim/v2/Groups",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Engineers"}`,
		); status != http.StatusServiceUnavailable {
			t.Errorf("a group: %d %s", status, body)
		}
		if p := f.problem(problem.DirectoryCapabilityMissing); !strings.Contains(p.Cause, "501") {
			t.Errorf("the cause does not say what the server answered: %s", p.Cause)
		}
		f.restart() // the identity provider pushes no groups any more
		f.healed()
		f.create("ann@example.com", "")
		f.healed()
	}},
	{problem.DirectoryAttributeNotKept, "an attribute that the server drops", func(t *testing.T) {
		f := newFront(t)
		f.create("ann@example.com", `,"nickName":"Annie"`)
		if p := f.problem(problem.DirectoryAttributeNotKept); !strings.Contains(p.Cause, "nickName of a user") {
			t.Errorf("the cause does not name the attribute: %s", p.Cause)
		}
		f.restart()
		f.healed()
		f.create("bob@example.com", "") // without it, as the mapping has it now
		f.healed()
	}},
	{problem.SuspensionsHeld, "before a SCIM server, the printed commands", func(t *testing.T) {
		f := newFront(t)
		f.flags = ` --suspension-limit 'max(0, 0%)/1h'`
		f.restart()
		f.healed()
		for word, want := range map[string]bool{"approve": false, "cancel": true} {
			address := word + "@example.com"
			path := f.switchedOff(f.token, address)
			p := f.problem(problem.SuspensionsHeld)
			list := f.shell(command(t, p.Remedy, "scim-bridge holds list"), "", nil)
			if !strings.Contains(list, address) {
				t.Errorf("%s is not listed: %s", address, list)
			}
			f.shell(command(t, p.Remedy, "scim-bridge holds "+word), "", nil)
			f.healed()
			active := f.scim(f.token, http.MethodGet, path, nil, http.StatusOK)["active"]
			f.server.set(func() {
				for _, person := range f.server.people {
					if person["userName"] == address && (person["active"] != want || active != want) {
						t.Errorf("%s is active: %v at the server, and %v by SCIM", address, person["active"], active)
					}
				}
			})
		}
	}},
}
