package provision

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// pushed is a directory with one group of which the next answer can be chosen.
type pushed struct {
	bridge.Directory
	unknown []string
	refused error
}

func (p *pushed) group(id string) (bridge.Group, error) {
	g := bridge.Group{
		ID: id, Attributes: json.RawMessage(`{"displayName":"Group ` + id + `"}`), UnknownMembers: p.unknown,
	}
	return g, p.refused
}

func (p *pushed) CreateGroup(context.Context, bridge.GroupInput) (bridge.Group, error) {
	return p.group("new")
}

func (p *pushed) UpdateGroup(_ context.Context, id string, _ bridge.GroupChange, _ string, _ bool,
) (bridge.Group, error) {
	return p.group(id)
}

func (p *pushed) Group(_ context.Context, id string, _ bool) (bridge.Group, error) {
	return bridge.Group{ID: id, Attributes: json.RawMessage(`{"displayName":"Group ` + id + `"}`)}, nil
}

func (p *pushed) DeleteGroup(context.Context, string, string) error { return nil }

// pushes is a Directory over pushed, with a clock that can be set.
type pushes struct {
	*pushed
	d       Directory
	now     time.Time
	log     bytes.Buffer
	changes int
}

func newPushes() *pushes {
	p := &pushes{pushed: &pushed{}, now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	p.d = Directory{Directory: p.pushed, Unknown: &UnknownMembers{
		Log:      hclog.New(&hclog.LoggerOptions{Output: &p.log}),
		Now:      func() time.Time { return p.now },
		OnChange: func() { p.changes++ },
	}}
	return p
}

// push sends a whole list of members, or adds some.
func (p *pushes) push(t *testing.T, group string, whole bool, unknown ...string) {
	t.Helper()
	change := bridge.GroupChange{Add: []string{"x"}}
	if whole {
		change = bridge.GroupChange{Replace: &[]string{"x"}}
	}
	p.unknown = unknown
	if _, err := p.d.UpdateGroup(t.Context(), group, change, "", false); !errors.Is(err, p.refused) {
		t.Fatal(err)
	}
}

func (p *pushes) causes() string {
	var causes []string
	for _, found := range p.d.Unknown.Report().Problems {
		causes = append(causes, string(found.Code)+": "+found.Cause)
	}
	return strings.Join(causes, "\n")
}

func TestUnknownMembersAreAProblemUntilTheWholeListIsKnown(t *testing.T) {
	t.Parallel()
	p := newPushes()
	if r := p.d.Unknown.Report(); r.State != health.Healthy || len(r.Problems) != 0 {
		t.Fatalf("at first %+v", r)
	}
	p.push(t, "a", false, "ghost-1", "ghost-2")
	if got := p.causes(); !strings.Contains(got, `members_unknown: `) ||
		!strings.Contains(got, `for "Group a": "ghost-1", "ghost-2"`) ||
		p.d.Unknown.Report().State != health.Degraded {
		t.Errorf("got %s", got)
	}
	p.push(t, "a", false) // adds a known member
	if p.causes() == "" {
		t.Error("adding a known member cleared the problem")
	}
	p.push(t, "a", true)
	if got := p.causes(); got != "" || p.changes != 2 {
		t.Errorf("after the whole list was known: %s, told %d times", got, p.changes)
	}
}

func TestAPushThatWasRefusedIsAProblemOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newPushes()
	p.push(t, "b", true, "ghost-1")
	p.refused = &bridge.Error{Code: bridge.MembersUnknown, IDs: []string{"ghost-2"}}
	p.push(t, "a", true)
	if problems := p.d.Unknown.Report().Problems; len(problems) != 2 ||
		problems[0].Details[problem.FactReason] != "refused" ||
		problems[0].Details[problem.FactGroup] != `"Group a"` || problems[0].Details[problem.FactIDs] != `"ghost-2"` {
		t.Errorf("got %+v", problems)
	}
	if err := p.d.DeleteGroup(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	if problems := p.d.Unknown.Report().Problems; len(problems) != 1 || problems[0].Details[problem.FactReason] != "" {
		t.Errorf("after the group was deleted: %+v", problems)
	}
}

func TestUnknownMembersPassAfterADay(t *testing.T) {
	t.Parallel()
	p := newPushes()
	p.push(t, "a", false, "ghost")
	p.now = p.now.Add(20 * time.Hour)
	p.push(t, "a", false, "ghost") // repeated, so the day begins again
	p.now = p.now.Add(20 * time.Hour)
	if r := p.d.Unknown.Report(); len(r.Problems) != 1 || !r.Problems[0].Since.Equal(p.now.Add(-40*time.Hour)) {
		t.Errorf("got %+v, want one problem since the first push", r.Problems)
	}
	p.now = p.now.Add(5 * time.Hour)
	if got := p.causes(); got != "" {
		t.Errorf("a day after the last push: %s", got)
	}
}

func TestUnknownMembersAreLoggedOncePerNews(t *testing.T) {
	t.Parallel()
	p := newPushes()
	for range 10 {
		p.push(t, "a", false, "ghost")
	}
	p.push(t, "a", false, "spirit")
	if lines := strings.Count(p.log.String(), "\n"); lines != 2 {
		t.Errorf("%d lines, want one for each set of ids:\n%s", lines, p.log.String())
	}
	found, err := problem.Diagnose(&p.log)
	if err != nil || len(found.Problems) != 2 || found.Problems[0].Code != problem.MembersUnknown ||
		!strings.Contains(found.Problems[0].Cause, `for a: "ghost"`) {
		t.Errorf("diagnose finds %+v, %v", found, err)
	}
}

func TestWhatIsRememberedOfUnknownMembersIsBounded(t *testing.T) {
	t.Parallel()
	p := newPushes()
	ids := make([]string, 50_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", strings.Repeat("x", 1000), i)
	}
	for i := range 500 {
		p.now = p.now.Add(time.Second)
		p.push(t, fmt.Sprint(i), false, ids...)
	}
	if n := len(p.d.Unknown.pushes); n != mostUnknown {
		t.Errorf("%d groups are remembered, want %d", n, mostUnknown)
	}
	if _, kept := p.d.Unknown.pushes["499"]; !kept {
		t.Error("the newest push is forgotten")
	}
	r := p.d.Unknown.Report()
	if text := fmt.Sprint(r.Problems); len(r.Problems) != 1 || len(text) > 4000 {
		t.Errorf("%d problems of %d bytes", len(r.Problems), len(text))
	}
	if n := p.log.Len(); n > 500*1000 {
		t.Errorf("%d bytes are logged of 500 pushes", n)
	}
}

func TestACreatedGroupWithUnknownMembersIsNoted(t *testing.T) {
	t.Parallel()
	p := newPushes()
	p.unknown = []string{"ghost"}
	_, err := p.d.CreateGroup(t.Context(), bridge.GroupInput{})
	if err != nil || !strings.Contains(p.causes(), `"Group new"`) {
		t.Errorf("%v: %s", err, p.causes())
	}
}
