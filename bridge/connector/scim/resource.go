package scim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// A document is a resource of the far side, in this bridge's form.
type document struct {
	id                string
	created, modified time.Time // zero if the far side does not tell
	// tag is the entity tag as the far side writes it; empty if there is none.
	tag string
	// attributes have canonical names, and neither id, meta nor references.
	attributes map[string]any
	// references are the groups of a person, or the members of a group.
	references []bridge.Reference
	// listed is set if the far side sent the list of references.
	listed bool
}

var errNoResource = errors.New("it is no resource")

// document reads a resource of the far side. It may lack an id.
func (c *collection) document(object map[string]any, header string) (document, error) {
	if object == nil || member(object, "Resources") != nil {
		return document{}, errNoResource
	}
	doc := document{id: idOf(object)}
	meta, _ := member(object, "meta").(map[string]any)
	doc.created, doc.modified = timeAt(meta, "created"), timeAt(meta, "lastModified")
	if doc.tag = readTag(header); doc.tag == "" {
		doc.tag = readTag(text(meta, "version"))
	}
	rest := make(map[string]any, len(object))
	for key, value := range object {
		switch strings.ToLower(key) {
		case "id", "meta", "password":
		case strings.ToLower(c.list):
			doc.references, doc.listed = c.toReferences(value), true
		default:
			rest[key] = value
		}
	}
	doc.attributes = c.normalize(rest)
	if doc.attributes["externalId"] == "" { // scimgateway writes it for one that it was told to forget
		delete(doc.attributes, "externalId")
	}
	return doc, nil
}

// normalize brings attributes into canonical form. What has no such form is
// left as it is, and one that is of the wrong type is left out.
func (c *collection) normalize(in map[string]any) map[string]any {
	out, err := c.schema.Normalize(in)
	if err != nil {
		out = make(map[string]any)
		for key, value := range in {
			one := map[string]any{c.unique: "x", key: value}
			if strings.EqualFold(key, c.unique) {
				one = map[string]any{key: value}
			}
			if kept, err := c.schema.Normalize(one); err == nil {
				for name, value := range kept {
					if name != c.unique || strings.EqualFold(key, c.unique) {
						out[name] = value
					}
				}
			}
		}
		out["schemas"] = []any{c.schema.Core.ID}
	}
	c.trim(out)
	return out
}

// trim takes the blanks away that do not count; see bridge.Directory.
func (c *collection) trim(attributes map[string]any) {
	trimText(attributes, c.unique)
	if c.schema != schema.User {
		return
	}
	emails, _ := attributes["emails"].([]any)
	for _, element := range emails {
		if email, ok := element.(map[string]any); ok {
			trimText(email, "value")
		}
	}
}

func trimText(object map[string]any, name string) {
	if s, ok := object[name].(string); ok {
		object[name] = inputtext.TrimBlanks(s)
	}
}

func (c *collection) toReferences(value any) []bridge.Reference {
	list, _ := value.([]any)
	references := make([]bridge.Reference, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, element := range list {
		object, _ := element.(map[string]any)
		id := textOrNumber(member(object, "value"))
		if bare, ok := element.(string); ok {
			id = bare
		}
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		references = append(references, bridge.Reference{ID: id, Display: text(object, "display"),
			Type: c.kindOf(id, object)})
	}
	return references
}

// kindOf is the kind of what a reference points to. Many servers do not tell.
func (c *collection) kindOf(id string, reference map[string]any) string {
	kind := text(reference, "type")
	switch {
	case c.schema == schema.User:
		return schema.Group.Name
	case strings.EqualFold(kind, schema.Group.Name),
		strings.Contains(text(reference, "$ref"), schema.Group.Endpoint+"/"),
		kind == "" && c.groups.index.hasID(id):
		return schema.Group.Name
	}
	return schema.User.Name
}

// name is the attribute that is unique, as it is compared.
func (c *collection) name(attributes map[string]any) string {
	name, _ := attributes[c.unique].(string)
	return inputtext.Fold(name)
}

// version is the entity tag of this bridge's own answers. With a far side that
// has none it is made of the content; it is empty if that was not read whole.
func (c *collection) version(doc document) string {
	if c.can(canETag) == Yes && doc.tag != "" {
		return toOwnTag(doc.tag)
	}
	if c.schema == schema.Group && !doc.listed {
		return ""
	}
	references := slices.Clone(doc.references)
	slices.SortFunc(references, func(a, b bridge.Reference) int { return strings.Compare(a.ID, b.ID) })
	content, err := json.Marshal([]any{doc.attributes, references})
	if err != nil {
		return "" // what was decoded can be encoded
	}
	sum := sha256.Sum256(content)
	return `"c` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// An entity tag of the far side may be weak, and this bridge's are strong.
const weakMark = "W/"

// readTag returns an entity tag in its proper form, or "" if it has none.
// Quotes are often missing in meta.version.
func readTag(s string) string {
	opaque, weak := strings.CutPrefix(strings.TrimSpace(s), weakMark)
	opaque = strings.TrimSuffix(strings.TrimPrefix(opaque, `"`), `"`)
	if opaque == "" || strings.HasPrefix(opaque, weakMark) || strings.ContainsFunc(opaque, func(r rune) bool {
		return r <= ' ' || r == '"' || r == ',' || r > '~'
	}) {
		return ""
	}
	if weak {
		return weakMark + `"` + opaque + `"`
	}
	return `"` + opaque + `"`
}

func toOwnTag(tag string) string {
	if opaque, weak := strings.CutPrefix(tag, weakMark+`"`); weak {
		return `"` + weakMark + opaque
	}
	return tag
}

func fromOwnTag(version string) string {
	if opaque, weak := strings.CutPrefix(version, `"`+weakMark); weak {
		return weakMark + `"` + opaque
	}
	return version
}

func (c *collection) person(doc document) (bridge.Person, error) {
	raw, err := json.Marshal(doc.attributes)
	active, said := doc.attributes["active"].(bool)
	return bridge.Person{
		ID: doc.id, Version: c.version(doc), Created: doc.created, Modified: doc.modified, Attributes: raw,
		Groups: doc.references, State: bridge.Active, Suspended: said && !active,
	}, err
}

func (c *collection) group(doc document, withMembers bool) (bridge.Group, error) {
	raw, err := json.Marshal(doc.attributes)
	g := bridge.Group{
		ID: doc.id, Version: c.version(doc), Created: doc.created, Modified: doc.modified, Attributes: raw,
	}
	if withMembers {
		g.Members = append([]bridge.Reference{}, doc.references...)
	}
	return g, err
}

// matched is what a predicate is evaluated on.
func (c *collection) matched(doc document) map[string]any {
	on := make(map[string]any, len(doc.attributes)+3)
	for name, value := range doc.attributes {
		on[name] = value
	}
	meta := map[string]any{"version": c.version(doc)}
	if !doc.created.IsZero() {
		meta["created"] = doc.created.Format(time.RFC3339Nano)
	}
	if !doc.modified.IsZero() {
		meta["lastModified"] = doc.modified.Format(time.RFC3339Nano)
	}
	references := make([]any, len(doc.references))
	for i, r := range doc.references {
		references[i] = map[string]any{"value": r.ID, "display": r.Display, "type": r.Type}
	}
	on["id"], on["meta"], on[c.list] = doc.id, meta, references
	return on
}

// input reads attributes that are to be written.
func (c *collection) input(attributes json.RawMessage) (map[string]any, error) {
	object, ok := decodeObject(attributes)
	if !ok {
		return nil, &bridge.Error{Code: bridge.InvalidValue, Detail: "the attributes are no JSON object"}
	}
	c.trim(object)
	if name, _ := object[c.unique].(string); name == "" {
		return nil, &bridge.Error{Code: bridge.InvalidValue,
			Detail: fmt.Sprintf("%s is required and must not be empty", c.unique)}
	}
	if object["schemas"] == nil {
		object["schemas"] = []any{c.schema.Core.ID}
	}
	return object, nil
}

// compareKept returns which attributes of what was sent did not come back as they were.
func compareKept(sent, got map[string]any) []NotKept {
	var lost []NotKept
	for name, value := range sent {
		switch {
		case name == "schemas" || isNothing(value):
		case strings.Contains(name, ":"):
			parts, _ := value.(map[string]any)
			there, _ := got[name].(map[string]any)
			for part, value := range parts {
				if !isNothing(value) && !keeps(there[part], value) {
					lost = append(lost, NotKept{Attribute: shortName(name + ":" + part), Changed: there[part] != nil})
				}
			}
		case !keeps(got[name], value):
			lost = append(lost, NotKept{Attribute: shortName(name), Changed: got[name] != nil})
		}
	}
	return lost
}

func shortName(name string) string { return inputtext.ShortLine(name, 200) }

func isNothing(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// keeps reports whether what was sent is in what came back. A server may add to
// it, as it does with "formatted" and "display", and writes texts in a case of its own.
func keeps(got, sent any) bool {
	switch sent := sent.(type) {
	case map[string]any:
		there, ok := got.(map[string]any)
		for name, value := range sent {
			// false is what an absent "primary" means.
			if !isNothing(value) && value != false && (!ok || !keeps(there[name], value)) {
				return false
			}
		}
		return true
	case []any:
		there, _ := got.([]any)
		for _, element := range sent {
			if !slices.ContainsFunc(there, func(have any) bool { return keeps(have, element) }) {
				return false
			}
		}
		return true
	case string:
		have, ok := got.(string)
		return ok && inputtext.Fold(inputtext.TrimBlanks(have)) == inputtext.Fold(inputtext.TrimBlanks(sent))
	default:
		return fmt.Sprint(got) == fmt.Sprint(sent)
	}
}

// member returns an object's member without regard to case, as attribute names are compared (RFC 7643 section 2.1).
func member(object map[string]any, name string) any {
	if value, ok := object[name]; ok {
		return value
	}
	for key, value := range object {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}

func text(object map[string]any, name string) string {
	s, _ := member(object, name).(string)
	return s
}

// textOrNumber is a text, or a number as one: some servers have numeric ids.
func textOrNumber(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func idOf(object map[string]any) string { return textOrNumber(member(object, "id")) }

func timeAt(meta map[string]any, name string) time.Time {
	at, err := time.Parse(time.RFC3339, text(meta, name))
	if err != nil {
		return time.Time{}
	}
	return at
}

// path is the escaped path of a resource. A dot segment would be taken for a place in the path.
func (c *collection) path(id string) string {
	escaped := url.PathEscape(id)
	if strings.Trim(escaped, ".") == "" {
		escaped = strings.ReplaceAll(escaped, ".", "%2E")
	}
	return c.schema.Endpoint + "/" + escaped
}
