package directory_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// A fixture is an account with a clock of its own, as the tests of people
// and groups use it.
type fixture struct {
	*account.Account
	*directory.Directory
	t     *testing.T
	mu    sync.Mutex
	clock time.Time
	// after the clock was read so many times, alarm is called.
	ticks int
	alarm func()
}

func newDirectory(t *testing.T) *fixture {
	t.Helper()
	s, err := store.Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &fixture{t: t, clock: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	d.Account, err = account.Create(t.Context(), s, "Example", d.tick, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.Directory = directory.New(d.Account)
	d.PublicURL = "https://account.example.com"
	return d
}

// tick is a clock on which no two things happen at once.
func (d *fixture) tick() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(time.Second)
	if d.ticks--; d.ticks == 0 {
		d.alarm()
	}
	return d.clock
}

// later lets time pass.
func (d *fixture) later(pause time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(pause)
}

// attributes makes a resource of the attributes given by name and value.
func attributes(pairs ...any) json.RawMessage {
	fields := make(map[string]any)
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return text
}

// input is a person whose userName is also the address.
func input(userName string, pairs ...any) directory.PersonInput {
	return directory.PersonInput{Attributes: attributes(append([]any{"userName", userName}, pairs...)...),
		SignInAddress: userName}
}

func (d *fixture) create(userName string, pairs ...any) directory.Person {
	d.t.Helper()
	return d.createFrom(input(userName, pairs...))
}

func (d *fixture) createFrom(in directory.PersonInput) directory.Person {
	d.t.Helper()
	p, err := d.CreatePerson(d.t.Context(), in)
	return d.answered(p, err)
}

// answered returns the person in the answer to a write, which must be what is read afterwards.
func (d *fixture) answered(p directory.Person, err error) directory.Person {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	if read := d.person(p.ID); !reflect.DeepEqual(p, read) {
		d.t.Errorf("a write was answered with\n%+v, and then read is\n%+v", p, read)
	}
	return p
}

// joined is create for a person who has accepted the invitation and was confirmed.
func (d *fixture) joined(userName string) directory.Person {
	d.t.Helper()
	p := d.create(userName)
	_, token := d.mailTo(userName)
	if _, err := d.AcceptInvitation(d.t.Context(), token); err != nil {
		d.t.Fatal(err)
	}
	if err := d.ConfirmPerson(d.t.Context(), p.ID); err != nil {
		d.t.Fatal(err)
	}
	return d.person(p.ID)
}

func (d *fixture) replace(id string, in directory.PersonInput) directory.Person {
	d.t.Helper()
	p, err := d.ReplacePerson(d.t.Context(), id, in, "")
	return d.answered(p, err)
}

func (d *fixture) remove(id string) {
	d.t.Helper()
	if err := d.DeletePerson(d.t.Context(), id, ""); err != nil {
		d.t.Fatal(err)
	}
}

func (d *fixture) person(id string) directory.Person {
	d.t.Helper()
	p, err := d.Person(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *fixture) member(id string) directory.Member {
	d.t.Helper()
	m, err := d.Member(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

func (d *fixture) invite(address string) directory.Member {
	d.t.Helper()
	m, err := d.InviteMember(d.t.Context(), address, "", store.RoleMember)
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

func (d *fixture) group(name string, members ...string) directory.Group {
	d.t.Helper()
	g, err := d.CreateGroup(d.t.Context(), directory.GroupInput{
		Attributes: attributes("displayName", name), Members: members,
	})
	return d.answeredGroup(g, err)
}

// answeredGroup is answered for a group with its members.
func (d *fixture) answeredGroup(g directory.Group, err error) directory.Group {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	read, err := d.Group(d.t.Context(), g.ID, true)
	read.UnknownMembers = g.UnknownMembers
	if err != nil || !reflect.DeepEqual(g, read) {
		d.t.Errorf("a write was answered with\n%+v, and then read is\n%+v, %v", g, read, err)
	}
	return g
}

func (d *fixture) update(id string, u directory.GroupUpdate) directory.Group {
	d.t.Helper()
	g, err := d.UpdateGroup(d.t.Context(), id, u, "", true)
	return d.answeredGroup(g, err)
}

func (d *fixture) allow(domain string) {
	d.t.Helper()
	if _, err := d.CreateSignupDomain(d.t.Context(), domain); err != nil {
		d.t.Fatal(err)
	}
}

// mailTo counts the mails to an address, and returns the token in the last
// one's link, if it is still there.
func (d *fixture) mailTo(address string) (n int, token string) {
	d.t.Helper()
	mails, err := d.Mails(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	link := regexp.MustCompile(`https://account\.example\.com/(?:join|confirm)/([a-z2-7]+)`)
	for _, m := range mails {
		if m.Recipient == address {
			n++
			token = ""
			if found := link.FindStringSubmatch(m.Body); found != nil {
				token = found[1]
			}
		}
	}
	return n, token
}

// waiting lists what people wait for, as "userName kind".
func (d *fixture) waiting() []string {
	d.t.Helper()
	list, err := d.Attention(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	lines := []string{}
	for _, a := range list {
		lines = append(lines, a.UserName+" "+a.Kind)
	}
	return lines
}

func wantRefusal(t *testing.T, err error, code api.ErrorCode) account.Error {
	t.Helper()
	e, ok := errors.AsType[*account.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want a refusal with code %s", err, code)
	}
	return *e
}

func ids(references []directory.Reference) []string {
	list := []string{}
	for _, r := range references {
		list = append(list, r.ID)
	}
	slices.Sort(list)
	return list
}

func sorted(list ...string) []string {
	slices.Sort(list)
	return list
}
