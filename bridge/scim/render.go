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
	of      *schema.Resource
	id      string
	version string
	body    []byte
}

// renderPerson makes the User of a person.
func (x *exchange) renderPerson(p bridge.Person, projection schema.Projection) (rendered, error) {
	b := make([]byte, 0, resourceRoom+len(p.Attributes)+referenceRoom*len(p.Groups))
	body, err := x.appendPerson(b, p, projection)
	return rendered{schema.User, p.ID, p.Version, body}, err
}

// What there should be room for, so that a resource is usually one allocation: what the bridge adds to
// the attributes, and one reference.
const (
	resourceRoom  = 512
	referenceRoom = 192
)

// appendPerson appends the User of a person.
func (x *exchange) appendPerson(b []byte, p bridge.Person, projection schema.Projection) ([]byte, error) {
	start := len(b)
	b = x.appendHeader(b, schema.User, p.ID, p.Created, p.Modified, p.Version)
	if len(p.Groups) > 0 {
		b = append(b, `,"groups":[`...)
		for i, g := range p.Groups {
			// The account knows direct memberships only.
			b = x.appendReference(b, i, g, schema.Group, "direct")
		}
		b = append(b, ']')
	}
	return compose(b, start, p.Attributes, projection)
}

// renderGroup makes the Group of a group.
func (x *exchange) renderGroup(g bridge.Group, projection schema.Projection) (rendered, error) {
	b := make([]byte, 0, resourceRoom+len(g.Attributes)+referenceRoom*len(g.Members))
	body, err := x.appendGroup(b, g, projection)
	return rendered{schema.Group, g.ID, g.Version, body}, err
}

// appendGroup appends the Group of a group. Members that were read are shown even
// if there are none: clients that compare look for the list.
func (x *exchange) appendGroup(b []byte, g bridge.Group, projection schema.Projection) ([]byte, error) {
	start := len(b)
	b = x.appendHeader(b, schema.Group, g.ID, g.Created, g.Modified, g.Version)
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
	return compose(b, start, g.Attributes, projection)
}

// appendHeader begins a resource with its id and meta.
func (x *exchange) appendHeader(
	b []byte, r *schema.Resource, id string, created, modified time.Time, version string,
) []byte {
	b = append(b, `{"id":`...)
	b = jsontext.AppendString(b, id)
	b = append(b, `,"meta":{"resourceType":`...)
	b = jsontext.AppendString(b, r.Name)
	b = appendTime(b, `,"created":`, created)
	b = appendTime(b, `,"lastModified":`, modified)
	b = append(b, `,"location":`...)
	b = x.appendLocation(b, r, id)
	if version != "" {
		b = append(b, `,"version":`...)
		b = jsontext.AppendString(b, version)
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
	b = x.appendLocation(b, to, r.ID)
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

// appendLocation appends a location as a JSON string, which needs no escapes after the base.
func (x *exchange) appendLocation(b []byte, r *schema.Resource, id string) []byte {
	b = jsontext.AppendString(b, x.base)
	b = append(b[:len(b)-1], r.Endpoint...)
	b = append(b, '/')
	b = append(b, url.PathEscape(id)...)
	return append(b, '"')
}

// compose ends the resource that begins at start in b, and has no end yet, with the attributes as they are
// stored. A resource shown in full is joined byte by byte, undecoded.
func compose(b []byte, start int, attributes json.RawMessage, projection schema.Projection) ([]byte, error) {
	if projection.Full() {
		inner := bytes.TrimSpace(attributes)
		if len(inner) >= 2 && inner[0] == '{' {
			if inner = bytes.TrimSpace(inner[1 : len(inner)-1]); len(inner) > 0 {
				b = append(append(b, ','), inner...)
			}
		}
		return append(b, '}'), nil
	}
	resource, err := decodeStored(attributes)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(append(b, '}')[start:], &resource); err != nil {
		return b, err
	}
	text, err := json.Marshal(projection.Apply(resource))
	return append(b[:start], text...), err
}

// answer sends a resource.
func (x *exchange) answer(status int, s rendered) error {
	x.record.event.Status = status
	if s.version != "" {
		x.w.Header().Set("ETag", s.version)
	}
	if status == http.StatusCreated {
		x.w.Header().Set("Location", x.location(s.of, s.id))
	}
	writeBody(x.w, status, s.body)
	return nil
}

// answerEmpty sends 204.
func (x *exchange) answerEmpty() {
	x.record.event.Status = http.StatusNoContent
	x.w.WriteHeader(http.StatusNoContent)
}

// writeBody sends a body that is in parts.
func writeBody(w http.ResponseWriter, status int, parts ...[]byte) {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	w.Header().Set("Content-Type", mediaTypes[0])
	w.Header().Set("Content-Length", strconv.Itoa(length))
	// Answers hold people's data, and the next one may differ.
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	for _, part := range parts {
		_, _ = w.Write(part) // fails only when the client is gone
	}
}
