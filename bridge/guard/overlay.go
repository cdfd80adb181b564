package guard

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

const groupType = "Group" // of a bridge.Reference

// seenPerson is what the identity provider sees of a person otherwise than it is.
type seenPerson struct {
	suspended, deleted bool
	gone               map[string]bool // groups
}

func (s *state) seenPerson(id string) seenPerson {
	h, held := s.suspensionOf(id)
	return seenPerson{suspended: held, deleted: held && h.Deleted, gone: maps.Clone(s.groups[id])}
}

// mark is part of the versions of a person that is seen otherwise; empty for others.
func (p seenPerson) mark() string {
	if !p.suspended && len(p.gone) == 0 {
		return ""
	}
	return markOf(append(slices.Sorted(maps.Keys(p.gone)), map[bool]string{true: "suspended"}[p.suspended]))
}

// seenGroup is what the identity provider sees of a group otherwise than it is.
type seenGroup struct {
	hidden  bool
	gone    map[string]bool // people whose removal is held
	deleted map[string]bool // people whose deletion is held, of all groups
}

func (s *state) seenGroup(id string) seenGroup {
	g := seenGroup{gone: map[string]bool{}, deleted: map[string]bool{}}
	_, g.hidden = s.hidden[id]
	for person := range s.removals[id] {
		g.gone[person] = true
	}
	for person, held := range s.suspended {
		if s.holds[held].Deleted {
			g.deleted[person] = true
		}
	}
	return g
}

func (g seenGroup) mark() string {
	if len(g.gone) == 0 {
		return ""
	}
	return markOf(slices.Sorted(maps.Keys(g.gone)))
}

func markOf(parts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// marked makes a version another one, since what is seen is another.
func marked(version, mark string) string {
	if version == "" || mark == "" {
		return version
	}
	return `"h` + mark + "." + strings.TrimPrefix(version, `"`)
}

// unmarked returns the version that marked was given. It reports false for one that was never given for this mark.
func unmarked(version, mark string) (string, bool) {
	if version == "" || mark == "" {
		return version, true
	}
	rest, ok := strings.CutPrefix(version, `"h`+mark+".")
	return `"` + rest, ok
}

// checkVersion compares a version that the client has read with one of the directory.
func checkVersion(ifMatch, version string) error {
	if ifMatch == "" || ifMatch == version {
		return nil
	}
	return errStale(version)
}

func errStale(version string) error {
	return &bridge.Error{Code: bridge.VersionMismatch,
		Detail: "the resource has changed since; its version is " + cmp.Or(version, "another one")}
}

// show makes a person what the identity provider is to see.
func (p seenPerson) show(person bridge.Person) (bridge.Person, error) {
	person.Version = marked(person.Version, p.mark())
	person.Groups = slices.DeleteFunc(slices.Clone(person.Groups),
		func(r bridge.Reference) bool { return p.gone[r.ID] })
	if !p.suspended {
		return person, nil
	}
	var err error
	person.Suspended = true
	person.Attributes, err = withActive(person.Attributes, false)
	return person, err
}

// show makes a group what the identity provider is to see.
func (g seenGroup) show(group bridge.Group) bridge.Group {
	group.Version = marked(group.Version, g.mark())
	if group.Members != nil {
		group.Members = slices.DeleteFunc(slices.Clone(group.Members),
			func(r bridge.Reference) bool { return g.gone[r.ID] || g.deleted[r.ID] })
	}
	return group
}

// withActive sets active among a person's attributes.
func withActive(attributes json.RawMessage, active bool) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(attributes, &all); err != nil || all == nil {
		return nil, &bridge.Error{Code: bridge.InvalidValue, Detail: "the attributes are no JSON object"}
	}
	all["active"] = json.RawMessage("false")
	if active {
		all["active"] = json.RawMessage("true")
	}
	return json.Marshal(all)
}

// isActive reports whether attributes say that a person is active, or do not say it.
func isActive(attributes json.RawMessage) bool {
	var said struct {
		Active *bool `json:"active"`
	}
	return json.Unmarshal(attributes, &said) != nil || said.Active == nil || *said.Active
}

func userNameOf(attributes json.RawMessage) string { return textOf(attributes, "userName") }

func displayNameOf(attributes json.RawMessage) string { return textOf(attributes, "displayName") }

func textOf(attributes json.RawMessage, name string) string {
	var all map[string]json.RawMessage
	var text string
	if json.Unmarshal(attributes, &all) == nil {
		_ = json.Unmarshal(all[name], &text) // empty if it has another type
	}
	return text
}

// foldName is a name as names are compared.
func foldName(name string) string { return inputtext.Fold(inputtext.TrimBlanks(name)) }

// decoded returns attributes for comparing them.
func decoded(attributes json.RawMessage) map[string]any {
	d := json.NewDecoder(bytes.NewReader(attributes))
	d.UseNumber()
	var all map[string]any
	if d.Decode(&all) != nil || all == nil {
		return map[string]any{}
	}
	return all
}

func isSame(a, b json.RawMessage) bool { return reflect.DeepEqual(decoded(a), decoded(b)) }
