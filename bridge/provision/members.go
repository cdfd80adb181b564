package provision

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// UnknownMembers records the groups to which unknown members were pushed. A push with some
// unknown ids is applied without them, since Okta treats a refusal as final and would lose
// the others; so the operator must be informed. It is safe for concurrent use.
type UnknownMembers struct {
	Log hclog.Logger
	Now func() time.Time
	// OnChange is called after a change, without a lock held.
	OnChange func()

	mu     sync.Mutex
	pushes map[string]unknownPush // by group
}

// An unknownPush describes the last push with unknown members to a group.
type unknownPush struct {
	group   string // its name, or the id
	ids     string // the first ones, quoted
	count   int
	refused bool
	first   time.Time // of this kind
	last    time.Time
}

const (
	// unknownKept is how long a push with unknown members stays a problem. Entra ID
	// repeats it every 40 minutes, Okta does not.
	unknownKept = 24 * time.Hour
	// mostUnknown is the maximum number of recorded groups.
	mostUnknown = 100
)

// note records that a push to a group had unknown ids.
func (u *UnknownMembers) note(id, name string, ids []string, refused bool) {
	now := u.Now()
	p := unknownPush{
		group: cmp.Or(name, id), ids: inputtext.QuoteSome(ids), count: len(ids),
		refused: refused, first: now, last: now,
	}
	u.mu.Lock()
	before, known := u.pushes[id]
	repeated := known && before.ids == p.ids && before.count == p.count && before.refused == refused
	if known && before.refused == refused {
		p.first = before.first
	}
	if u.pushes == nil {
		u.pushes = make(map[string]unknownPush)
	}
	u.pushes[id] = p
	if len(u.pushes) > mostUnknown {
		delete(u.pushes, slices.MinFunc(slices.Collect(maps.Keys(u.pushes)), func(a, b string) int {
			return u.pushes[a].last.Compare(u.pushes[b].last)
		}))
	}
	u.mu.Unlock()
	if repeated {
		return // a repetition
	}
	fields := []any{
		problem.LogKey, string(problem.MembersUnknown), problem.FactGroup, id,
		problem.FactIDs, p.ids, problem.FactCount,
		p.count,
	}
	if refused {
		u.Log.Warn("a push of members was refused: no person or group has these ids",
			append(fields, problem.FactReason, refusedPush)...)
	} else {
		u.Log.Warn("members passed over: no person or group has these ids", fields...)
	}
	u.OnChange()
}

// refusedPush is the FactReason of a refused push.
const refusedPush = "refused"

// clear removes a group whose members are all known.
func (u *UnknownMembers) clear(id string) {
	u.mu.Lock()
	_, known := u.pushes[id]
	delete(u.pushes, id)
	u.mu.Unlock()
	if known {
		u.OnChange()
	}
}

// Report reports the pushes with unknown members of the last day.
func (u *UnknownMembers) Report() health.Report {
	now := u.Now()
	r := health.Report{Source: "members", State: health.Healthy, Time: now, Expires: now.Add(time.Minute)}
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.pushes, func(_ string, p unknownPush) bool { return now.Sub(p.last) > unknownKept })
	for _, refused := range []bool{true, false} {
		if p, found := u.problem(refused); found {
			r.State = health.Degraded
			r.Problems = append(r.Problems, p)
		}
	}
	return r
}

// problem returns one problem for all groups, since they have the same remedy.
func (u *UnknownMembers) problem(refused bool) (problem.Problem, bool) {
	var pushes []unknownPush
	for _, p := range u.pushes {
		if p.refused == refused {
			pushes = append(pushes, p)
		}
	}
	if len(pushes) == 0 {
		return problem.Problem{}, false
	}
	slices.SortFunc(pushes, func(a, b unknownPush) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.group, b.group))
	})
	groups, count := make([]string, len(pushes)), 0
	for i, p := range pushes {
		groups[i] = p.group
		count += p.count
	}
	facts := problem.Facts{
		problem.FactGroup: inputtext.QuoteSome(groups),
		problem.FactIDs:   pushes[0].ids,
		problem.FactCount: strconv.Itoa(count),
	}
	if refused {
		facts[problem.FactReason] = refusedPush
	}
	return problem.New(problem.MembersUnknown, pushes[0].first, facts), true
}

// CreateGroup creates a group and records unknown members.
func (d Directory) CreateGroup(ctx context.Context, in bridge.GroupInput) (bridge.Group, error) {
	g, err := d.Directory.CreateGroup(ctx, in)
	if err == nil && len(g.UnknownMembers) > 0 {
		d.Unknown.note(g.ID, displayName(g), g.UnknownMembers, false)
	}
	return g, err
}

// UpdateGroup changes a group and records unknown members.
func (d Directory) UpdateGroup(
	ctx context.Context, id string, c bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	g, err := d.Directory.UpdateGroup(ctx, id, c, ifMatch, withMembers)
	switch {
	case bridge.CodeOf(err) == bridge.MembersUnknown:
		d.noteRefused(ctx, id, err)
	case err != nil:
	case len(g.UnknownMembers) > 0:
		d.Unknown.note(id, displayName(g), g.UnknownMembers, false)
	case c.Replace != nil:
		d.Unknown.clear(id)
	}
	return g, err
}

func (d Directory) noteRefused(ctx context.Context, id string, refusal error) {
	var ids []string
	if e, ok := errors.AsType[*bridge.Error](refusal); ok {
		ids = e.IDs
	}
	name := ""
	if g, err := d.Group(ctx, id, false); err == nil {
		name = displayName(g)
	}
	d.Unknown.note(id, name, ids, true)
}

// DeleteGroup deletes a group and its record of unknown members.
func (d Directory) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	err := d.Directory.DeleteGroup(ctx, id, ifMatch)
	if err == nil {
		d.Unknown.clear(id)
	}
	return err
}

// displayName returns the group's name for display.
func displayName(g bridge.Group) string {
	var attributes struct {
		DisplayName string `json:"displayName"`
	}
	_ = json.Unmarshal(g.Attributes, &attributes) // empty if it has another type
	return attributes.DisplayName
}
