package scim

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// A record is what the journal is told of a request, or of an operation of a bulk request.
type record struct {
	began    time.Time
	endpoint string           // the first segment of the path, in lower case
	resource *schema.Resource // of the endpoint; nil in a search
	read     string           // the person that was read by itself
	event    journal.Event    // filled on the way
}

// bulkEndpoint is the endpoint whose operations are recorded singly.
const bulkEndpoint = "bulk"

// writes reports whether the request was to change something.
func (x *exchange) writes() bool {
	switch x.r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return x.record.resource != nil || x.record.endpoint == bulkEndpoint
	default:
		return false
	}
}

// keepRecord records a write, and how it was refused; nil if it was not.
func (x *exchange) keepRecord(failed *refusal) {
	if x.journal == nil || !x.writes() || x.record.resource == nil && failed == nil {
		return
	}
	request, e := httpkit.RequestFrom(x.r.Context()), &x.record.event
	e.Request, e.Token = request.ID, request.Caller
	e.Milliseconds = time.Since(x.record.began).Milliseconds()
	e.Kind = x.kind(failed != nil)
	if failed != nil {
		e.Method, e.Status, e.Code = x.r.Method, failed.Status, failed.Code
	}
	switch x.record.resource { // the journal takes nothing that is not in the form of an id
	case schema.User:
		e.Person = cmp.Or(e.Person, x.id)
	case schema.Group:
		e.Group = cmp.Or(e.Group, x.id)
	}
	x.journal.Append(*e)
}

// kind is what a write is in the journal.
func (x *exchange) kind(refused bool) journal.Kind {
	of := func(person, group journal.Kind) journal.Kind {
		if x.record.resource == schema.User {
			return person
		}
		return group
	}
	switch {
	case x.record.resource == nil:
		return journal.RequestRefused
	case refused:
		return of(journal.PersonRefused, journal.GroupRefused)
	case x.r.Method == http.MethodPost:
		return of(journal.PersonCreated, journal.GroupCreated)
	case x.r.Method == http.MethodDelete:
		return of(journal.PersonDeleted, journal.GroupDeleted)
	default:
		return of(journal.PersonUpdated, journal.GroupUpdated)
	}
}

// countRequest counts the request among those of its minute, unless it is an operator's.
func (x *exchange) countRequest(failed *refusal) {
	if x.journal == nil || httpkit.RequestFrom(x.r.Context()).Look {
		return
	}
	status := http.StatusOK
	if failed != nil {
		status = failed.Status
	}
	x.journal.Count(journal.Served{
		Write: x.writes(), Status: status, Took: time.Since(x.record.began), Person: x.record.read,
	})
}

// recordName records under which name the request knows the person or group, if the resource has one. It is called with
// what the client sent, too, before that is checked: what is refused then is what somebody looks for by that name.
func (x *exchange) recordName(resource map[string]any) {
	if x.journal == nil {
		return
	}
	var subject string
	switch x.record.resource {
	case schema.User:
		subject = x.journal.Person(textIn(schema.User, resource, "userName"))
	case schema.Group:
		subject = x.journal.Group(textIn(schema.Group, resource, "displayName"))
	}
	if subject != "" {
		x.record.event.Subject = subject
	}
}

// textIn returns a text in a resource as it was sent, under the attribute's name in any case, with the schema's URI
// before it or without; empty if there is none. Of several, which are refused, it is any.
func textIn(of *schema.Resource, resource map[string]any, attribute string) string {
	plain, err := of.Unqualified(resource)
	if err != nil {
		plain = resource
	}
	for name, value := range plain {
		if text, ok := value.(string); ok && strings.EqualFold(name, attribute) {
			return text
		}
	}
	return ""
}

// recordActive records what the request sets active to, if it says that: a resource has a default.
func (x *exchange) recordActive(says bool, resource map[string]any) {
	x.record.event.SentActive = nil
	if active, is := resource["active"].(bool); says && is {
		x.record.event.SentActive = journal.Bool(active)
	}
}

// sendsActive reports whether a resource, as it was sent, says whether the person is active.
func sendsActive(body map[string]any) bool {
	plain, err := schema.User.Unqualified(body)
	if err != nil {
		return false
	}
	says, err := assigns(plain, schema.User.Attribute("active"))
	return says && err == nil
}

// setsActive reports whether an operation is about active.
func setsActive(op patch.Operation) bool {
	if op.Path != nil {
		return strings.EqualFold(op.Path.Attribute.Name, "active")
	}
	value, _ := op.Value.(map[string]any)
	return sendsActive(value)
}

func (x *exchange) recordPerson(p bridge.Person) {
	e := &x.record.event
	e.Person, e.State, e.Active = p.ID, string(p.State), journal.Bool(!p.Suspended)
}

func (x *exchange) recordGroup(g bridge.Group) {
	x.record.event.Group, x.record.event.Unknown = g.ID, len(g.UnknownMembers)
}

// recordMembers records which members a change names.
func (x *exchange) recordMembers(c bridge.GroupChange) {
	e := &x.record.event
	e.Added, e.Removed, e.Set = nil, nil, nil // of an attempt before
	if len(c.Add) > 0 {
		e.Added = journal.NewMembers(c.Add)
	}
	if len(c.Remove) > 0 {
		e.Removed = journal.NewMembers(c.Remove)
	}
	if c.Replace != nil {
		e.Set = journal.NewMembers(*c.Replace)
	}
}

// codeOf is why a request was refused, in one word; empty if there is no more to say than the status.
func codeOf(err error, r *refusal) string {
	if code := bridge.CodeOf(err); code != "" {
		return string(code)
	}
	switch r.Status {
	case http.StatusServiceUnavailable:
		return "unavailable"
	case http.StatusInternalServerError:
		return "internal"
	default:
		return string(r.Kind)
	}
}
