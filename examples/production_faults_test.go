//go:build engines

package examples

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
	"github.com/scimbridge/terraform-provider-scimbridge/test/kubernetes"
)

// faultsFor is the variable that says for how long faults come, beyond one of each: 10m.
const faultsFor = "SCIMBRIDGE_TEST_FAULTS"

// An ingress has a certificate, and passes requests to a Service on connections of their own. A request whose
// connection is lost it answers with 503, and keeps account of what was acknowledged.
type ingress struct {
	address string
	client  *http.Client // that trusts it
	target  func() *url.URL

	mu       sync.Mutex
	people   map[string]string   // names of those whose creation was acknowledged, by id
	members  map[membership]bool // those that were acknowledged, and that nobody has asked to end since
	leaving  map[string]bool     // ids that somebody has asked to delete
	gone     map[string]bool     // ids of people whose deletion was acknowledged
	statuses map[int]int
	strange  []string // answers that are neither right nor to be repeated
	written  atomic.Int64
	lost     atomic.Int64 // connections
}

// A membership is of a person in a group, by their ids.
type membership struct{ group, person string }

func newIngress(t *testing.T, ca *certificates.CA, target func() string) *ingress {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM)
	i := &ingress{
		people: make(map[string]string), members: make(map[membership]bool), leaving: make(map[string]bool),
		gone: make(map[string]bool), statuses: make(map[int]int),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		}},
	}
	var found atomic.Pointer[url.URL]
	i.target = func() *url.URL {
		if u := found.Load(); u != nil {
			return u
		}
		u, err := url.Parse(target())
		if err == nil && u.Hostname() != "127.0.0.1" {
			found.Store(u)
		}
		return u
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(i.target())
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute,
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "account.scim.svc", MinVersion: tls.VersionTLS12},
		},
		ModifyResponse: i.note,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			i.lost.Add(1)
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"503"}`)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	pair, err := tls.X509KeyPair(ca.Issue("", "", kubernetes.Node))
	if err != nil {
		t.Fatal(err)
	}
	listener := listen(t)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := i.noteRequest(r); err != nil {
				return // the client has gone
			}
			proxy.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { server.Close() })
	i.address = "https://" + listener.Addr().String()
	return i
}

// noteRequest keeps account of what a request may end, whether or not it is acknowledged.
func (i *ingress) noteRequest(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	id := path.Base(r.URL.Path)
	_, others := splitOperations(body)
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Method == http.MethodDelete {
		i.leaving[id] = true
	}
	for m := range i.members {
		if m.group == id && (r.Method == http.MethodPut || strings.Contains(others, m.person)) {
			delete(i.members, m)
		}
	}
	return nil
}

// splitOperations returns the ids of the people that a PATCH adds to a group, and the text of its other operations.
func splitOperations(body []byte) (added []string, others string) {
	var patch struct{ Operations []json.RawMessage }
	_ = json.Unmarshal(body, &patch) // which a recorded exchange may have without any
	for _, text := range patch.Operations {
		var operation struct {
			Op, Path string
			Value    json.RawMessage
		}
		var values []struct{ Value string }
		err := json.Unmarshal(text, &operation)
		if err != nil || !strings.EqualFold(operation.Op, "add") || operation.Path != "members" ||
			json.Unmarshal(operation.Value, &values) != nil {
			others += string(text)
			continue
		}
		for _, v := range values {
			added = append(added, v.Value)
		}
	}
	return added, others
}

// note keeps account of an answer.
func (i *ingress) note(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return err // the connection was lost
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	r := resp.Request
	i.mu.Lock()
	defer i.mu.Unlock()
	i.statuses[resp.StatusCode]++
	switch status := resp.StatusCode; {
	case status == http.StatusForbidden,
		status >= 500 && status != http.StatusServiceUnavailable && status != http.StatusNotImplemented,
		status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "":
		i.strange = append(i.strange, r.Method+" "+r.URL.Path+": "+resp.Status+" "+string(body[:min(len(body), 200)]))
	case status/100 == 2 && r.Method != http.MethodGet:
		i.written.Add(1)
	}
	if resp.StatusCode == http.StatusCreated && strings.HasSuffix(r.URL.Path, "/Users") {
		var made struct {
			ID       string `json:"id"`
			UserName string `json:"userName"`
		}
		if err := json.Unmarshal(body, &made); err != nil {
			return err
		}
		i.people[made.ID] = made.UserName
		delete(i.gone, made.ID)
	}
	if resp.StatusCode == http.StatusNoContent && r.Method == http.MethodDelete &&
		strings.Contains(r.URL.Path, "/Users/") {
		i.gone[path.Base(r.URL.Path)] = true
	}
	if resp.StatusCode/100 == 2 && r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Groups/") {
		sent, err := r.GetBody()
		if err != nil {
			return err
		}
		body, err := io.ReadAll(sent)
		if err != nil {
			return err
		}
		added, _ := splitOperations(body)
		for _, person := range added {
			i.members[membership{path.Base(r.URL.Path), person}] = true
		}
	}
	return nil
}

// created returns how many creations were acknowledged.
func (i *ingress) created() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.statuses[http.StatusCreated]
}

// faults loads the installation as four identity providers at once, while its pods are lost in turn.
func (p *production) faults(t *testing.T) {
	long, _ := time.ParseDuration(os.Getenv(faultsFor))
	p.replicate(t)
	before := p.front.lost.Load()
	ctx, stop := context.WithCancel(t.Context())
	providers := []string{"entra", "okta", "google", "onelogin"}
	var playing sync.WaitGroup
	defer func() { stop(); playing.Wait() }()
	for _, idp := range providers {
		playing.Go(func() {
			for runs := 1; ctx.Err() == nil && !t.Failed(); runs++ {
				p.play(t, idp, true)
			}
		})
	}
	playing.Go(func() { p.hire(ctx, t) })
	begun := time.Now()
	for round := 0; round == 0 || time.Since(begun) < long; round++ {
		for _, fault := range []struct {
			name string
			do   func(round int)
		}{
			{"a bridge is deleted", p.deleted("scim-bridge")},
			{"an account server is killed", p.killed("account")},
			{"the database server is killed", p.killed("postgresql")},
			{"a bridge is killed", p.killed("scim-bridge")},
			{"an account server is deleted", p.deleted("account")},
			{"the database server is deleted", p.deleted("postgresql")},
			{"the standby is deleted", p.deleted("standby")},
			{"the database server is lost, and the standby takes over", p.failOver},
			{"the account servers are rolled out", func(int) {
				p.cluster.Kubectl("-n", "scim", "rollout", "restart", "deployment/account")
			}},
			{"one of each is lost at once", p.loseOneOfEach},
		} {
			at, written := time.Now(), p.front.written.Load()
			fault.do(round)
			p.await(t)
			p.cluster.Await("changes that are acknowledged", func() bool {
				return t.Failed() || p.front.written.Load() >= written+40
			})
			t.Logf("%s: %s, all pods and 40 more changes after %s", at.Sub(begun).Round(time.Second), fault.name,
				time.Since(at).Round(100*time.Millisecond))
		}
	}
	stop()
	playing.Wait()
	t.Logf("%s: %d changes acknowledged, %d connections lost, %d times a standby took over, answers by status %v",
		time.Since(begun).Round(time.Second), p.front.written.Load(), p.front.lost.Load()-before, p.losses,
		p.front.statuses)
	p.check(t)                      // before anybody makes again what is missing
	for _, idp := range providers { // each finds its company, and every answer is right
		p.play(t, idp, false)
	}
	slices.Sort(p.front.strange)
	if len(p.front.strange) > 0 {
		t.Errorf("answers that are neither right nor to be repeated: %q", slices.Compact(p.front.strange))
	}
}

// staying ends the names of people who stay.
const staying = "@stay.example.com"

// hire creates people who stay, one after the other, so that some were acknowledged just before each fault. Providers
// meet their companies again in each run, and create few.
func (p *production) hire(ctx context.Context, t *testing.T) {
	next := time.NewTicker(500 * time.Millisecond)
	defer next.Stop()
	for n := 0; ctx.Err() == nil && !t.Failed(); n++ {
		status, answer := p.request(t, http.MethodPost, "/Users", newPerson(fmt.Sprintf("%d"+staying, n)))
		if status != http.StatusCreated && status != http.StatusConflict { // of a request that was sent again
			t.Errorf("creating a person is answered with %d %v", status, answer)
		}
		<-next.C
	}
}

// play plays an identity provider. While pods are lost, an answer may be right for a request that was sent again: a
// creation that had its effect is a conflict, a deletion finds nothing, and both leave steps that cannot be played.
func (p *production) play(t *testing.T, idp string, faulty bool) {
	report := filepath.Join(t.TempDir(), "report.json")
	groups := "3"
	if idp == "google" { // it provisions none
		groups = "0"
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), providertest.Binary(t), "simulate", "--idp", idp,
		"--url", p.front.address, "--token-file", filepath.Join(p.w.dir, "production/kubernetes/bearer-token"),
		"--people", "30", "--groups", groups, "--domain", idp+".example.com", "--keep", "--max-wait", "3m",
		"--report-json", report)
	cmd.Env = p.w.env
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	text, _ := os.ReadFile(report)
	var d simulate.Document
	if !faulty || json.Unmarshal(text, &d) != nil || d.Error != "" {
		t.Errorf("%s: %v\n%s", idp, err, out)
		return
	}
	for _, habit := range d.Habits {
		if f := habit.First; f != nil && (f.Result == "wrong" || f.Result == "skipped") && !repeated(*f) {
			t.Errorf("%s: %+v", idp, *f)
		}
	}
}

// repeated reports whether a fault is what follows from a request that had its effect before its answer was lost, or
// from pages that are read while others write.
func repeated(f simulate.Fault) bool {
	method, _, _ := strings.Cut(f.Request, " ")
	return f.Result == "skipped" || f.Request == "the pages together" ||
		method == http.MethodPost && strings.HasPrefix(f.Problem, "status 409") ||
		method == http.MethodDelete && strings.HasPrefix(f.Problem, "status 404")
}

// deleted deletes a pod of a kind, which ends as it would when its node is drained.
func (p *production) deleted(kind string) func(int) {
	return func(round int) {
		name := p.pod(kind, round)
		p.cluster.Kubectl("-n", "scim", "delete", "pod", name, "--wait=true")
	}
}

// killed kills the program in a pod of a kind. The kubelet starts it again, later each time, so that afterwards the pod
// is deleted instead.
func (p *production) killed(kind string) func(int) {
	return func(round int) {
		name := p.pod(kind, round+1)
		if round > 0 {
			p.cluster.Kubectl("-n", "scim", "delete", "pod", name, "--wait=true")
			return
		}
		id := p.cluster.Kubectl("-n", "scim", "get", "pod", name, "-o",
			"jsonpath={.status.containerStatuses[0].containerID}")
		_, container, _ := strings.Cut(id, "://")
		if kind == "account" {
			p.kills++
		}
		kill := exec.CommandContext(p.t.Context(), "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", container)
		if out, err := kill.CombinedOutput(); err != nil {
			p.t.Fatalf("%v: %s", err, out)
		}
		p.cluster.Await("another container of "+name, func() bool {
			now, err := p.cluster.Try("-n", "scim", "get", "pod", name, "-o",
				"jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].ready}")
			return err == nil && !strings.Contains(now, id) && strings.HasSuffix(now, " true")
		})
	}
}

// pod returns the name of a running pod of a kind. The database server, and its standby, are one each.
func (p *production) pod(kind string, number int) string {
	switch kind {
	case "postgresql":
		return p.servers[0] + "-0"
	case "standby":
		return p.servers[1] + "-0"
	}
	names := strings.Fields(p.cluster.Kubectl("-n", "scim", "get", "pods", "-l", "app.kubernetes.io/name="+kind,
		"--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(names) == 0 {
		p.t.Fatalf("there is no pod of %s", kind)
	}
	return names[number%len(names)]
}

// check compares what is there with what was acknowledged.
func (p *production) check(t *testing.T) {
	t.Helper()
	there := p.people(t)
	for name, times := range there {
		if times > 1 {
			t.Errorf("%s is there %d times", name, times)
		}
	}
	p.checkMembers(t)
	p.checkMails(t)
	p.front.mu.Lock()
	defer p.front.mu.Unlock()
	checked := 0
	for id, name := range p.front.people {
		if p.front.leaving[id] || strings.HasPrefix(name, "after@") {
			continue
		}
		checked++
		if there[id] == 0 {
			t.Errorf("%s (%s) was acknowledged, and is not there", name, id)
		}
	}
	for id := range p.front.gone {
		if there[id] > 0 {
			t.Errorf("%s is there, and its deletion was acknowledged", id)
		}
	}
	if checked < 100 || len(p.front.gone) < 100 {
		t.Errorf("%d people, and %d who were deleted, prove nothing", checked, len(p.front.gone))
	}
	t.Logf("%d people were acknowledged and are there, and %d were deleted; account check: %s", checked,
		len(p.front.gone), p.cluster.Kubectl("-n", "scim",
			"exec", "deployment/account", "--", "scim-bridge", "account", "check"))
}

// checkMails compares the mails with the people who stay: one for each. The mail of an account server that was killed
// comes after the end of its lease, for which the test does not wait, or again with the same id.
func (p *production) checkMails(t *testing.T) {
	t.Helper()
	var stay []string
	p.front.mu.Lock()
	for _, name := range p.front.people {
		if strings.HasSuffix(name, staying) {
			stay = append(stay, name)
		}
	}
	p.front.mu.Unlock()
	var got map[string]map[string]int // how often a mail came, by recipient and id
	lacking, again := 0, 0
	p.cluster.Await("the mails", func() bool {
		got, lacking, again = make(map[string]map[string]int), 0, 0
		for _, m := range p.mails.Mails() {
			to := strings.Trim(strings.TrimPrefix(m.To, "TO:"), "<>")
			if got[to] == nil {
				got[to] = make(map[string]int)
			}
			if got[to][m.Header("Message-ID")]++; got[to][m.Header("Message-ID")] > 1 {
				again++
			}
		}
		for _, name := range stay {
			if len(got[name]) == 0 {
				lacking++
			}
		}
		return lacking <= p.kills
	})
	for _, name := range stay {
		if len(got[name]) > 1 {
			t.Errorf("%s got %d invitations: %v", name, len(got[name]), got[name])
		}
	}
	if again > p.kills {
		t.Errorf("%d mails came again, and %d account servers were killed", again, p.kills)
	}
	t.Logf("%d people were invited, and %d have a mail that waits for the end of a lease; %d mails came again, and %d "+
		"account servers were killed", len(stay)-lacking, lacking, again, p.kills)
}

// checkMembers compares the members of groups with those that were acknowledged.
func (p *production) checkMembers(t *testing.T) {
	t.Helper()
	p.front.mu.Lock()
	want := make(map[string][]string) // people by group
	for m := range p.front.members {
		if !p.front.leaving[m.group] && !p.front.leaving[m.person] {
			want[m.group] = append(want[m.group], m.person)
		}
	}
	p.front.mu.Unlock()
	checked := 0
	for id, people := range want {
		status, group := p.request(t, http.MethodGet, "/Groups/"+id, "")
		there := make(map[string]bool)
		list, _ := group["members"].([]any)
		for _, item := range list {
			member, _ := item.(map[string]any)
			there[fmt.Sprint(member["value"])] = true
		}
		for _, person := range people {
			checked++
			if !there[person] {
				t.Errorf("%s was acknowledged as a member of the group %s, which is %d %v", person, id, status, group)
			}
		}
	}
	if checked < 100 {
		t.Errorf("%d members prove nothing", checked)
	}
	t.Logf("%d members of %d groups were acknowledged and are there", checked, len(want))
}
