package scim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// A rendered resource is ready to be sent.
type rendered struct {
	location string
	version  string
	body     []byte
}

// renderPerson makes the User of a person.
func (x *exchange) renderPerson(p bridge.Person, projection schema.Projection) (rendered, error) {
	out := rendered{location: x.location(schema.User, p.ID), version: p.Version}
	b := header(schema.User, p.ID, p.Created, p.Modified, out)
	if len(p.Groups) > 0 {
		b = append(b, `,"groups":[`...)
		for i, g := range p.Groups {
			// The account knows direct memberships only.
			b = x.appendReference(b, i, g, schema.Group, "direct")
		}
		b = append(b, ']')
	}
	body, err := compose(p.Attributes, append(b, '}'), projection)
	out.body = body
	return out, err
}

// renderGroup makes the Group of a group. Members that were read are shown even
// if there are none: clients that compare look for the list.
func (x *exchange) renderGroup(g bridge.Group, projection schema.Projection) (rendered, error) {
	out := rendered{location: x.location(schema.Group, g.ID), version: g.Version}
	b := header(schema.Group, g.ID, g.Created, g.Modified, out)
	if projection.Shows("members") {
		b = append(b, `,"members":[`...)
		for i, m := range g.Members {
			kind := schema.User
			if m.Type == schema.Group.Name {
				kind = schema.Group
			}
			b = x.appendReference(b, i, m, kind, kind.Name)
		}
		b = append(b, ']')
	}
	body, err := compose(g.Attributes, append(b, '}'), projection)
	out.body = body
	return out, err
}

// header begins a resource with its id and meta.
func header(r *schema.Resource, id string, created, modified time.Time, s rendered) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"id":`...)
	b = jsontext.AppendString(b, id)
	b = append(b, `,"meta":{"resourceType":`...)
	b = jsontext.AppendString(b, r.Name)
	b = appendTime(b, `,"created":`, created)
	b = appendTime(b, `,"lastModified":`, modified)
	b = append(b, `,"location":`...)
	b = jsontext.AppendString(b, s.location)
	if s.version != "" {
		b = append(b, `,"version":`...)
		b = jsontext.AppendString(b, s.version)
	}
	return append(b, '}')
}

// appendTime appends a time under a key; not every directory tells them.
func appendTime(b []byte, key string, at time.Time) []byte {
	if at.IsZero() {
		return b
	}
	return jsontext.AppendTime(append(b, key...), at.UTC())
}

// appendReference appends the i-th element of a list of references.
func (x *exchange) appendReference(b []byte, i int, r bridge.Reference, to *schema.Resource, kind string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, `{"value":`...)
	b = jsontext.AppendString(b, r.ID)
	b = append(b, `,"$ref":`...)
	b = jsontext.AppendString(b, x.location(to, r.ID))
	if r.Display != "" {
		b = append(b, `,"display":`...)
		b = jsontext.AppendString(b, r.Display)
	}
	b = append(b, `,"type":`...)
	b = jsontext.AppendString(b, kind)
	return append(b, '}')
}

func (x *exchange) location(r *schema.Resource, id string) string {
	return x.base + r.Endpoint + "/" + url.PathEscape(id)
}

// compose joins the attributes as they are stored with the object of what the
// bridge adds. A resource shown in full is joined byte by byte, undecoded.
func compose(attributes json.RawMessage, added []byte, projection schema.Projection) ([]byte, error) {
	if projection.Full() {
		inner := bytes.TrimSpace(attributes)
		if len(inner) < 2 || inner[0] != '{' {
			return added, nil
		}
		inner = bytes.TrimSpace(inner[1 : len(inner)-1])
		if len(inner) == 0 {
			return added, nil
		}
		body := make([]byte, 0, len(inner)+len(added)+1)
		body = append(body, added[:len(added)-1]...)
		body = append(body, ',')
		body = append(body, inner...)
		return append(body, '}'), nil
	}
	resource, err := decodeStored(attributes)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(added, &resource); err != nil {
		return nil, err
	}
	return json.Marshal(projection.Apply(resource))
}

// answer sends a resource.
func (x *exchange) answer(status int, s rendered) error {
	x.record.event.Status = status
	if s.version != "" {
		x.w.Header().Set("ETag", s.version)
	}
	if status == http.StatusCreated {
		x.w.Header().Set("Location", s.location)
	}
	writeBody(x.w, status, s.body)
	return nil
}

// answerEmpty sends 204.
func (x *exchange) answerEmpty() {
	x.record.event.Status = http.StatusNoContent
	x.w.WriteHeader(http.StatusNoContent)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", mediaTypes[0])
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// Answers hold people's data, and the next one may differ.
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the client is gone
}
