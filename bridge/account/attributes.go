package account

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
)

// maxAttributes bounds the attributes of one resource. They are kept as the
// identity provider sent them, known or not, so that nothing it stores with
// us is lost; the bound is what keeps that from being a disk for everybody.
const maxAttributes = 64 << 10

// notAttributes are members of a SCIM resource that the account keeps
// elsewhere or, a password, must not keep at all.
var notAttributes = []string{"id", "meta", "groups", "members", "password"}

// attributes is what the account reads out of a resource.
type attributes struct {
	text        string // the whole resource, compact, as it is served
	userName    string
	externalID  string
	displayName string
	name        string // name.formatted
	active      bool   // true also if nothing is said of it
	saysActive  bool
	emails      []store.Email
}

// readAttributes checks the attributes of a person or a group.
func readAttributes(raw json.RawMessage) (attributes, error) {
	if len(raw) > maxAttributes {
		return attributes{}, &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Title: "Too large",
			Detail:  fmt.Sprintf("the attributes take %d bytes, and at most %d are kept", len(raw), maxAttributes),
			Details: Details{Field: "/attributes"}}
	}
	var compact bytes.Buffer
	var fields map[string]json.RawMessage
	if !utf8.Valid(raw) || json.Compact(&compact, raw) != nil || json.Unmarshal(raw, &fields) != nil || fields == nil {
		return attributes{}, InvalidValue("/attributes", "the attributes must be a JSON object in UTF-8")
	}
	for _, name := range notAttributes {
		if _, there := fields[name]; there {
			return attributes{}, InvalidValue("/attributes/"+name, "%q is not kept among the attributes; leave it out", name)
		}
	}
	word, there := fields["active"]
	a := attributes{text: compact.String(), active: true, saysActive: there && !jsontext.IsNull(word)}
	var formatted struct{ Formatted string }
	for name, target := range map[string]any{
		"userName": &a.userName, "externalId": &a.externalID, "displayName": &a.displayName, "active": &a.active,
	} {
		if value, there := fields[name]; there && json.Unmarshal(value, target) != nil {
			return attributes{}, InvalidValue("/attributes/"+name, "%s must be a %s", name, reflect.TypeOf(target).Elem())
		}
	}
	// Read for show alone, so that any other shape may pass.
	if json.Unmarshal(fields["name"], &formatted) == nil {
		a.name = formatted.Formatted
	}
	a.emails = readEmails(fields["emails"])
	return a, nil
}

// withActive is the document of a person with another word on "active".
func withActive(document string, active bool) (string, error) {
	word, said := strconv.FormatBool(active), false
	b := []byte{'{'}
	r := jsontext.NewReader([]byte(document))
	r.Object(func(name []byte) {
		value := r.Raw()
		if string(name) == "active" {
			value, said = []byte(word), true
		}
		b = append(jsontext.AppendString(b, string(name)), ':')
		b = append(append(b, value...), ',')
	})
	if err := r.Err(); err != nil {
		return "", fmt.Errorf("reading a person's attributes: %w", err)
	}
	if !said {
		b = append(b, `"active":`+word+`,`...)
	}
	return string(append(b[:len(b)-1], '}')), nil
}

// readEmails collects the values by which a person is found. What has
// another shape is kept with the attributes and found through them.
func readEmails(raw json.RawMessage) (emails []store.Email) {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil
	}
	for _, element := range elements {
		var e store.Email
		if json.Unmarshal(element, &e) == nil && e.Value != "" {
			emails = append(emails, e)
		}
	}
	return emails
}

// sameAttributes tells whether two resources say the same, whatever the order
// of their keys.
func sameAttributes(a, b string) bool {
	if a == b {
		return true
	}
	var values [2]any
	for i, text := range []string{a, b} {
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		if d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// personName is what the account calls a person.
func (a attributes) personName() string {
	names := []string{a.displayName, a.name, a.userName}
	return names[slices.IndexFunc(names, func(name string) bool { return name != "" })]
}
