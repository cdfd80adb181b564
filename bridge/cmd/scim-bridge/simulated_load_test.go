package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// Providers are identity providers that provision companies by the bridges of a fleet at once: each plays its recorded
// exchanges and a company's life, which stays, and then another one's. They judge all answers; what is there when a
// company's life is over must be there at the end of the test.
type providers struct {
	f       *fleet
	working sync.WaitGroup
	ended   atomic.Bool
	writes  atomic.Int64 // acknowledged
	// repeated counts requests that were sent again, and uncertain the writes among them.
	repeated, uncertain atomic.Int64

	mu        sync.Mutex
	companies []company
	steps     int
}

// A company is what a provider has provisioned.
type company struct {
	documents         map[string]string // by path
	active, suspended []string          // userNames
	created           map[string]int    // how often each person was, by userName
}

// simulate lets identity providers begin.
func (f *fleet) simulate(idps ...string) *providers {
	f.t.Helper()
	p := &providers{f: f}
	f.t.Cleanup(func() { p.ended.Store(true); p.working.Wait() })
	for i, idp := range idps {
		p.working.Go(func() {
			// Every other one keeps its connections, so that it stays at a bridge as long as that is there.
			s := &sender{providers: p, transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer s.transport.CloseIdleConnections()
			for n := 0; !p.ended.Load() && !f.t.Failed(); n++ {
				p.play(idp, fmt.Sprintf("n%d.%s.example.com", n, idp), s)
			}
		})
	}
	return p
}

// play plays a provider's exchanges, and the life of a company.
func (p *providers) play(idp, domain string, s *sender) {
	p.f.t.Helper()
	ctx := context.WithoutCancel(p.f.t.Context())
	s.made, s.created = make(map[string]string), make(map[string]int)
	simulation := &simulate.Simulation{
		Player: &simulate.Player{
			URL: "http://" + p.f.front.address + "/scim/v2", Client: &http.Client{Transport: s},
			Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+p.f.pair.token.Reveal()) },
			Run:       simulate.RunName(),
		},
		IdP: idp, People: 40, Groups: 3, Domain: domain, Keep: true, Concurrency: 2,
	}
	err := simulation.Player.Reach(ctx)
	if err != nil {
		p.f.t.Errorf("%s: %v", idp, err)
		return
	}
	report, err := simulation.Run(ctx)
	if left := simulation.Player.CleanUp(ctx, 1, nil); err != nil || len(left) > 0 || !report.OK() {
		var tables bytes.Buffer
		_ = report.Document().WriteTables(&tables, true)
		p.f.t.Errorf("%s: %v, left %v\n%s", domain, err, left, tables.String())
		return
	}
	c, err := s.look(domain)
	if err != nil {
		p.f.t.Errorf("reading %s: %v", domain, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.companies = append(p.companies, c)
	p.steps += report.Steps()
}

// await waits until so many more writes are acknowledged.
func (p *providers) await(more int64) {
	p.f.t.Helper()
	before := p.writes.Load()
	await(p.f.t, "writes that are acknowledged", func() bool {
		if p.f.t.Failed() {
			p.f.t.FailNow()
		}
		return p.writes.Load() >= before+more
	})
}

// end waits until the companies that have begun their lives are complete.
func (p *providers) end() {
	p.f.t.Helper()
	p.ended.Store(true)
	p.working.Wait()
	if p.f.t.Failed() {
		p.f.t.FailNow()
	}
}

// A sender is a provider's way to the bridges. It repeats a request whose answer was lost, or says to come back, until
// there is another one, as providers do. A write of before may have had its effect: a creation is refused then, and a
// deletion finds nothing, so the provider looks for what it has made.
type sender struct {
	providers *providers
	transport *http.Transport

	mu      sync.Mutex
	made    map[string]string // paths of what the provider has made and not deleted, by kind and name
	created map[string]int    // how often the provider has created each person, by userName
}

// RoundTrip implements http.RoundTripper.
func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	writes := r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/.search")
	deadline := time.Now().Add(timeout)
	for again := false; ; again = true {
		resp, err := s.once(r, body)
		switch {
		case r.Context().Err() != nil || time.Now().After(deadline) || s.providers.f.t.Failed():
			return resp, err
		case err == nil && resp.StatusCode != http.StatusServiceUnavailable &&
			resp.StatusCode != http.StatusTooManyRequests:
			if writes {
				return s.settle(r, body, resp, again)
			}
			return resp, nil
		case err == nil && resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "":
			return resp, nil // which is wrong
		}
		if !again && writes {
			s.providers.uncertain.Add(1)
		}
		s.providers.repeated.Add(1)
		// Not as the Retry-After says, which is longer than the outage.
		time.Sleep(50*time.Millisecond + mathrand.N(100*time.Millisecond))
	}
}

// once sends a request once, and reads the answer as a whole.
func (s *sender) once(r *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	r = r.Clone(ctx)
	r.Body = http.NoBody
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, err
}

// settle returns the answer to a write as it would have been without the faults.
func (s *sender) settle(r *http.Request, body []byte, resp *http.Response, again bool) (*http.Response, error) {
	path := strings.TrimPrefix(r.URL.Path, "/scim/v2")
	var sent struct{ UserName, DisplayName string }
	_ = json.Unmarshal(body, &sent) // which is of the simulation, and may be a list of operations
	name := path + " " + strings.ToLower(sent.UserName)
	if path == "/Groups" {
		name = path + " " + strings.ToLower(sent.DisplayName)
	}
	isCreation := r.Method == http.MethodPost && (path == "/Users" || path == "/Groups")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isCreation && again && resp.StatusCode == http.StatusConflict && s.made[name] == "":
		attribute, value := "userName", sent.UserName
		if path == "/Groups" {
			attribute, value = "displayName", sent.DisplayName
		}
		found, err := s.find(path, fmt.Sprintf("%s eq %q", attribute, value))
		if err != nil || len(found) != 1 {
			return resp, err
		}
		resp.StatusCode, resp.Status = http.StatusCreated, "201 Created"
		for _, document := range found {
			resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(document)), int64(len(document))
		}
	case r.Method == http.MethodDelete && again && resp.StatusCode == http.StatusNotFound:
		resp.StatusCode, resp.Status = http.StatusNoContent, "204 No Content"
		resp.Body, resp.ContentLength = http.NoBody, 0
	}
	if resp.StatusCode/100 != 2 {
		return resp, nil
	}
	s.providers.writes.Add(1)
	if isCreation {
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(text))
		s.made[name] = path + "/" + newID(reply{body: string(text)})
		s.created[sent.UserName]++
	}
	if r.Method == http.MethodDelete {
		for name, made := range s.made {
			if made == path {
				delete(s.made, name)
			}
		}
	}
	return resp, nil
}

// find returns the documents that a filter finds, by their paths.
func (s *sender) find(kind, filter string) (map[string]string, error) {
	found := make(map[string]string)
	for first := 1; ; {
		page, err := s.page(fmt.Sprintf("%s?startIndex=%d&count=200&filter=%s", kind, first, url.QueryEscape(filter)))
		if err != nil || len(page) == 0 {
			return found, err
		}
		for _, document := range page {
			path := kind + "/" + newID(reply{body: string(document)})
			if found[path] != "" {
				return nil, fmt.Errorf("%s is found twice", path)
			}
			found[path] = string(document)
		}
		first += len(page)
	}
}

// page returns the resources of an answer to a search.
func (s *sender) page(path string) ([]json.RawMessage, error) {
	f := s.providers.f
	r, err := http.NewRequestWithContext(context.WithoutCancel(f.t.Context()), http.MethodGet,
		"http://"+f.front.address+"/scim/v2"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+f.pair.token.Reveal())
	resp, err := s.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var list struct{ Resources []json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: status %d", path, resp.StatusCode), err)
	}
	return list.Resources, nil
}

// look returns what is there of a company.
func (s *sender) look(domain string) (company, error) {
	c := company{created: s.created}
	people, err := s.find("/Users", fmt.Sprintf(`userName ew "@%s"`, domain))
	if err != nil {
		return c, err
	}
	for _, document := range people {
		var person struct {
			UserName string
			Active   bool
		}
		if err := json.Unmarshal([]byte(document), &person); err != nil {
			return c, err
		}
		if person.Active {
			c.active = append(c.active, person.UserName)
		} else {
			c.suspended = append(c.suspended, person.UserName)
		}
	}
	c.documents, err = s.find("/Groups", fmt.Sprintf("displayName co %q", domain))
	if err != nil {
		return c, err
	}
	for path, document := range people {
		c.documents[path] = document
	}
	return c, nil
}

// checkCompanies compares all that is there with what was there when the providers had finished.
func (f *fleet) checkCompanies(p *providers) {
	f.t.Helper()
	s := &sender{providers: p, transport: new(http.Transport)}
	defer s.transport.CloseIdleConnections()
	want := make(map[string]string)
	for _, c := range p.companies {
		for path, document := range c.documents {
			want[path] = document
		}
	}
	have, err := s.find("/Users", "userName pr")
	if err != nil {
		f.t.Fatal(err)
	}
	groups, err := s.find("/Groups", "displayName pr")
	if err != nil {
		f.t.Fatal(err)
	}
	names := make(map[string]string)
	for path, document := range have {
		var person struct{ UserName string }
		if err := json.Unmarshal([]byte(document), &person); err != nil {
			f.t.Fatal(err)
		}
		name := strings.ToLower(person.UserName)
		if names[name] != "" {
			f.t.Errorf("%s is both %s and %s", name, names[name], path)
		}
		names[name] = path
	}
	people := len(have)
	for path, document := range groups {
		have[path] = document
	}
	for path, document := range want {
		if have[path] != document {
			f.t.Errorf("%s is %s, and was %s", path, have[path], document)
		}
	}
	for path, document := range have {
		if want[path] == "" {
			f.t.Errorf("%s is there, and should not be: %s", path, document)
		}
	}
	f.t.Logf("%d people and %d groups of %d companies", people, len(groups), len(p.companies))
}

// checkMails compares the mails that arrived with the people: one each time that a person was created. A mail whose
// sender was killed comes after the lease, for which the test need not wait; that mail alone may come twice, once for
// each server that was killed.
func (f *fleet) checkMails(p *providers, killed int, wait bool) {
	f.t.Helper()
	var waiting []account.Mail
	await(f.t, "the mails", func() bool {
		var err error
		if waiting, err = f.model.Mails(f.t.Context(), store.MailWaiting); err != nil {
			f.t.Fatal(err)
		}
		return len(waiting) == 0 || !wait && !slices.ContainsFunc(waiting, func(m account.Mail) bool {
			return m.LeasedUntil.Before(time.Now())
		})
	})
	leased := make(map[string]bool)
	for _, m := range waiting {
		leased[m.Recipient] = true
	}
	got := make(map[string]map[string]int) // by recipient and id
	twice := 0
	for _, m := range f.mails.Mails() {
		to := strings.Trim(strings.TrimPrefix(m.To, "TO:"), "<>")
		if got[to] == nil {
			got[to] = make(map[string]int)
		}
		if got[to][m.Header("Message-ID")]++; got[to][m.Header("Message-ID")] > 1 {
			twice++
		}
	}
	invited := 0
	for _, c := range p.companies {
		for _, name := range c.active {
			if n := len(got[name]); n > c.created[name] || n == 0 && !leased[name] {
				f.t.Errorf("%s got %d invitations", name, n)
			}
			invited++
		}
		for _, name := range c.suspended {
			if n := len(got[name]); n > c.created[name] {
				f.t.Errorf("%s, who is suspended, got %d invitations", name, n)
			}
		}
	}
	if twice > killed || len(waiting) > killed+2 {
		f.t.Errorf("%d mails were sent twice, %d wait for the end of a lease, and %d servers were killed", twice,
			len(waiting), killed)
	}
	f.t.Logf("%d people are invited, %d got the same mail twice; %d mails wait for the end of a lease", invited, twice,
		len(waiting))
}

// checkBridges looks at what the account knows of the bridges: they keep their names.
func (f *fleet) checkBridges() {
	f.t.Helper()
	list, err := f.model.Bridges(f.t.Context(), "", 100)
	if err != nil {
		f.t.Fatal(err)
	}
	live := 0
	for _, b := range list.Items {
		if b.Live {
			live++
		}
	}
	if live != len(f.bridges) || len(list.Items) != len(f.bridges) {
		f.t.Errorf("the account knows %d bridges, %d of them live, want %d", len(list.Items), live, len(f.bridges))
	}
}

// checkLogs looks for errors that no operator can do anything about.
func (f *fleet) checkLogs() {
	f.t.Helper()
	for _, file := range f.logs {
		text, err := os.ReadFile(file)
		if err != nil {
			f.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "code=internal") || strings.Contains(line, "panic") {
				f.t.Errorf("an account server logged %s", line)
			}
		}
	}
}
