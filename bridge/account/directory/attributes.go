package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
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
		return attributes{}, &account.Error{Status: http.StatusRequestEntityTooLarge, Code: api.ErrorCodeTooLarge, Title: "Too large",
			Detail:  fmt.Sprintf("the attributes take %d bytes, and at most %d are kept", len(raw), maxAttributes),
			Details: account.Details{Field: "/attributes"}}
	}
	var compact bytes.Buffer
	var fields map[string]json.RawMessage
	if !utf8.Valid(raw) || json.Compact(&compact, raw) != nil || json.Unmarshal(raw, &fields) != nil || fields == nil {
		return attributes{}, account.InvalidValue("/attributes", "the attributes must be a JSON object in UTF-8")
	}
	for _, name := range notAttributes {
		if _, there := fields[name]; there {
			return attributes{}, account.InvalidValue("/attributes/"+name, "%q is not kept among the attributes; leave it out", name)
		}
	}
	word, there := fields["active"]
	a := attributes{text: compact.String(), active: true, saysActive: there && !jsontext.IsNull(word)}
	var formatted struct{ Formatted string }
	for name, target := range map[string]any{
		"userName": &a.userName, "externalId": &a.externalID, "displayName": &a.displayName, "active": &a.active,
	} {
		if value, there := fields[name]; there && json.Unmarshal(value, target) != nil {
			return attributes{}, account.InvalidValue("/attributes/"+name, "%s must be a %s", name, reflect.TypeOf(target).Elem())
		}
	}
	// Read for show alone, so that any other shape may pass.
	if json.Unmarshal(fields["name"], &formatted) == nil {
		a.name = formatted.Formatted
	}
	a.emails = readEmails(fields["emails"])
	return a, nil
}

// readPerson is readAttributes for a person, whose userName and e-mail
// addresses are kept without the blanks around them: exports of HR systems pad
// them, and " ann" and "ann" are one person.
func readPerson(raw json.RawMessage) (attributes, error) {
	a, err := readAttributes(raw)
	if err != nil || !padded(a.userName) && !slices.ContainsFunc(a.emails, func(e store.Email) bool { return padded(e.Value) }) {
		return a, err
	}
	return readTrimmed(a.text, func(document map[string]any) {
		trimMember(document, "userName")
		emails, _ := document["emails"].([]any)
		for _, element := range emails {
			if e, ok := element.(map[string]any); ok {
				trimMember(e, "value")
			}
		}
	})
}

// readGroup is readAttributes for a group, whose name is kept without blanks
// around it.
func readGroup(raw json.RawMessage) (attributes, error) {
	a, err := readAttributes(raw)
	if err == nil && padded(a.displayName) {
		a, err = readTrimmed(a.text, func(document map[string]any) { trimMember(document, "displayName") })
	}
	if err == nil && a.displayName == "" {
		err = account.InvalidValue("/attributes/displayName", "displayName is missing or empty; a group needs one")
	}
	return a, err
}

func padded(s string) bool { return inputtext.TrimBlanks(s) != s }

// readTrimmed reads a document after trim has changed it.
func readTrimmed(text string, trim func(map[string]any)) (attributes, error) {
	var document map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return attributes{}, fmt.Errorf("reading attributes: %w", err)
	}
	trim(document)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return attributes{}, fmt.Errorf("writing attributes: %w", err)
	}
	return readAttributes(b.Bytes())
}

func trimMember(object map[string]any, name string) {
	if text, ok := object[name].(string); ok {
		object[name] = inputtext.TrimBlanks(text)
	}
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
