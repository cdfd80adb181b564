package scim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// A shown resource is ready to be sent.
type shown struct {
	location string
	version  string
	body     []byte
}

type meta struct {
	ResourceType string `json:"resourceType"`
	Created      string `json:"created,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
	Location     string `json:"location"`
	Version      string `json:"version,omitempty"`
}

type reference struct {
	Value   string `json:"value"`
	Ref     string `json:"$ref"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type"`
}

// showPerson makes the User of a person.
func (x *exchange) showPerson(p bridge.Person, projection schema.Projection) (shown, error) {
	out := shown{location: x.location(schema.User, p.ID), version: p.Version}
	parts := map[string]any{"id": p.ID, "meta": metaOf(schema.User, p.Created, p.Modified, out)}
	if len(p.Groups) > 0 {
		groups := make([]reference, len(p.Groups))
		for i, g := range p.Groups {
			// The account knows direct memberships only.
			groups[i] = reference{Value: g.ID, Display: g.Display, Ref: x.location(schema.Group, g.ID), Type: "direct"}
		}
		parts["groups"] = groups
	}
	body, err := compose(p.Attributes, parts, projection)
	out.body = body
	return out, err
}

// showGroup makes the Group of a group. Members that were read are shown even
// if there are none: clients that compare look for the list.
func (x *exchange) showGroup(g bridge.Group, projection schema.Projection) (shown, error) {
	out := shown{location: x.location(schema.Group, g.ID), version: g.Version}
	parts := map[string]any{"id": g.ID, "meta": metaOf(schema.Group, g.Created, g.Modified, out)}
	if projection.Shows("members") {
		members := make([]reference, len(g.Members))
		for i, m := range g.Members {
			kind := schema.User
			if m.Type == schema.Group.Name {
				kind = schema.Group
			}
			members[i] = reference{Value: m.ID, Display: m.Display, Ref: x.location(kind, m.ID), Type: kind.Name}
		}
		parts["members"] = members
	}
	body, err := compose(g.Attributes, parts, projection)
	out.body = body
	return out, err
}

func (x *exchange) location(r *schema.Resource, id string) string {
	return x.base + r.Endpoint + "/" + url.PathEscape(id)
}

func metaOf(r *schema.Resource, created, modified time.Time, s shown) meta {
	return meta{
		ResourceType: r.Name, Location: s.location, Version: s.version,
		Created: created.UTC().Format(time.RFC3339Nano), LastModified: modified.UTC().Format(time.RFC3339Nano),
	}
}

// compose joins the attributes as they are stored with the parts that the
// bridge knows. A resource shown in full is joined byte by byte, undecoded.
func compose(attributes json.RawMessage, parts map[string]any, projection schema.Projection) ([]byte, error) {
	added, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
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
func (x *exchange) answer(status int, s shown) error {
	if s.version != "" {
		x.w.Header().Set("ETag", s.version)
	}
	if status == http.StatusCreated {
		x.w.Header().Set("Location", s.location)
	}
	writeBody(x.w, status, s.body)
	return nil
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", mediaTypes[0])
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// Answers hold people's data, and the next one may differ.
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever hung up has no use for an error
}
