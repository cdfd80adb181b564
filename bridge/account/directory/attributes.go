package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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
// identity provider sent them, known or not, so that it loses nothing; without
// a bound, the account could be used to store files.
const maxAttributes = 64 << 10

// notAttributes are members of a SCIM resource that the account keeps
// elsewhere or, a password, must not keep at all.
var notAttributes = []string{"id", "meta", "groups", "members", "password"}

// attributes are a resource, and what the account reads from it.
type attributes struct {
	text        string         // the whole resource, compact, as it is served
	document    map[string]any // the same, decoded; its numbers are a json.Number
	userName    string
	externalID  string
	displayName string
	name        string // name.formatted
	active      bool   // true also if the resource does not set it
	setsActive  bool
	emails      []store.Email
}

// readAttributes checks the attributes of a person or a group.
func readAttributes(raw json.RawMessage) (attributes, error) {
	a, err := decodeAttributes(raw)
	if err == nil {
		err = a.read()
	}
	return a, err
}

// decodeAttributes decodes a resource, once: what is read, trimmed and compared
// is a.document.
func decodeAttributes(raw json.RawMessage) (a attributes, err error) {
	if err := checkSize(len(raw)); err != nil {
		return a, err
	}
	var compact bytes.Buffer
	if utf8.Valid(raw) && json.Compact(&compact, raw) == nil {
		a.text = compact.String()
		a.document, err = decodeDocument(a.text)
	}
	if err != nil || a.document == nil {
		return a, account.InvalidValue("/attributes", "the attributes must be a JSON object in UTF-8")
	}
	return a, nil
}

func checkSize(bytes int) error {
	if bytes <= maxAttributes {
		return nil
	}
	return &account.Error{Status: http.StatusRequestEntityTooLarge, Code: api.ErrorCodeTooLarge, Title: "Too large",
		Detail:  fmt.Sprintf("the attributes take %d bytes, and at most %d are kept", bytes, maxAttributes),
		Details: account.Details{Field: "/attributes"}}
}

// decodeDocument decodes valid JSON; what is no object is nil.
func decodeDocument(text string) (document map[string]any, err error) {
	r := jsontext.NewReader([]byte(text))
	document, _ = r.Value().(map[string]any)
	return document, r.Err()
}

// read fills in what the account reads out of the document.
func (a *attributes) read() error {
	for _, name := range notAttributes {
		if _, there := a.document[name]; there {
			return account.InvalidValue("/attributes/"+name, "%q is not kept among the attributes; leave it out", name)
		}
	}
	for name, target := range map[string]*string{
		"userName": &a.userName, "externalId": &a.externalID, "displayName": &a.displayName,
	} {
		text, ok := textOf(a.document[name])
		if !ok {
			return account.InvalidValue("/attributes/"+name, "%s must be a string", name)
		}
		*target = text
	}
	switch active := a.document["active"].(type) {
	case nil:
		a.active = true
	case bool:
		a.active, a.setsActive = active, true
	default:
		return account.InvalidValue("/attributes/active", "active must be true or false")
	}
	// Read for show alone, so that any other shape may pass.
	if name, ok := a.document["name"].(map[string]any); ok {
		a.name, _ = name["formatted"].(string)
	}
	a.emails = readEmails(a.document["emails"])
	return nil
}

// textOf returns a string, which is empty for null; ok is false for anything else.
func textOf(value any) (text string, ok bool) {
	text, ok = value.(string)
	return text, ok || value == nil
}

// readPerson is readAttributes for a person, whose userName and e-mail
// addresses are kept without the blanks around them: exports of HR systems pad
// them, and " ann" and "ann" are one person.
func readPerson(raw json.RawMessage) (attributes, error) {
	a, err := decodeAttributes(raw)
	if err != nil {
		return a, err
	}
	trimmed := trimMember(a.document, "userName")
	emails, _ := a.document["emails"].([]any)
	for _, element := range emails {
		if e, ok := element.(map[string]any); ok {
			trimmed = trimMember(e, "value") || trimmed
		}
	}
	if trimmed {
		err = a.encode()
	}
	if err == nil {
		err = a.read()
	}
	return a, err
}

// readGroup is readAttributes for a group, whose name is kept without blanks
// around it.
func readGroup(raw json.RawMessage) (attributes, error) {
	a, err := decodeAttributes(raw)
	if err == nil && trimMember(a.document, "displayName") {
		err = a.encode()
	}
	if err == nil {
		err = a.read()
	}
	if err == nil && a.displayName == "" {
		err = account.InvalidValue("/attributes/displayName", "displayName is missing or empty; a group needs one")
	}
	return a, err
}

// encode makes the text of a document that was changed.
func (a *attributes) encode() error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(a.document); err != nil {
		return fmt.Errorf("writing attributes: %w", err)
	}
	a.text = strings.TrimSuffix(b.String(), "\n")
	return checkSize(len(a.text))
}

// trimMember trims a member and reports whether there was anything to trim.
func trimMember(object map[string]any, name string) bool {
	text, _ := object[name].(string)
	trimmed := inputtext.TrimBlanks(text)
	if trimmed == text {
		return false
	}
	object[name] = trimmed
	return true
}

// setActive gives the document of a person another value of "active". Copies of
// a share the document, which therefore is not changed.
func (a *attributes) setActive(active bool) (err error) {
	a.active, a.document = active, maps.Clone(a.document)
	a.document["active"] = active
	a.text, err = withActive(a.text, active)
	return err
}

// withActive returns a person's document with another value of "active".
func withActive(document string, active bool) (string, error) {
	word, found := strconv.FormatBool(active), false
	b := []byte{'{'}
	r := jsontext.NewReader([]byte(document))
	r.Object(func(name []byte) {
		value := r.Raw()
		if string(name) == "active" {
			value, found = []byte(word), true
		}
		b = append(jsontext.AppendString(b, string(name)), ':')
		b = append(append(b, value...), ',')
	})
	if err := r.Err(); err != nil {
		return "", fmt.Errorf("reading a person's attributes: %w", err)
	}
	if !found {
		b = append(b, `"active":`+word+`,`...)
	}
	return string(append(b[:len(b)-1], '}')), nil
}

// readEmails collects the values by which a person is found. What has
// another shape is kept with the attributes and found through them.
func readEmails(value any) (emails []store.Email) {
	elements, _ := value.([]any)
	for _, element := range elements {
		e, ok := element.(map[string]any)
		if !ok {
			continue
		}
		address, isText := textOf(e["value"])
		kind, isKind := textOf(e["type"])
		if isText && isKind && address != "" {
			emails = append(emails, store.Email{Value: address, Type: kind})
		}
	}
	return emails
}

// compare reports whether a stored resource says the same, whatever the order of
// its keys, and whether the same e-mail addresses are read from it.
func (a *attributes) compare(stored string) (same, sameEmails bool) {
	if a.text == stored {
		return true, true
	}
	document, err := decodeDocument(stored)
	if err != nil {
		return false, false
	}
	return reflect.DeepEqual(document, a.document), slices.Equal(readEmails(document["emails"]), a.emails)
}

// personName is what the account calls a person.
func (a attributes) personName() string {
	names := []string{a.displayName, a.name, a.userName}
	return names[slices.IndexFunc(names, func(name string) bool { return name != "" })]
}
