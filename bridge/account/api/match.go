package api

import (
	"reflect"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// A rule's match, and what is known of an address, are members of the generated
// types that have the names of the firewall's tables. Here alone the two meet,
// so that a new kind of match is written down in openapi.yaml and in the table,
// and nowhere between them.

// Matches are those of a rule's members that are matches, in the table's order.
func Matches[R FirewallRule | FirewallRuleInput](rule R) (matches []firewall.Match) {
	v := reflect.ValueOf(&rule).Elem()
	for _, kind := range firewall.Kinds() {
		if values := member(v, string(kind)).texts(); len(values) > 0 {
			matches = append(matches, firewall.Match{Kind: kind, Values: values})
		}
	}
	return matches
}

// SetMatch gives a rule its match.
func SetMatch[R FirewallRule | FirewallRuleInput](rule *R, m firewall.Match) {
	member(reflect.ValueOf(rule).Elem(), string(m.Kind)).set(m.Values)
}

// Facts are what an answer says of an address.
func Facts[T Verdict | ProblemDetails](answer T) firewall.Facts {
	facts := make(firewall.Facts)
	v := reflect.ValueOf(&answer).Elem()
	for _, fact := range firewall.FactNames() {
		if values := member(v, string(fact)).texts(); len(values) > 0 {
			facts[fact] = values
		}
	}
	return facts
}

// SetFacts writes into an answer what is known of an address.
func SetFacts[T Verdict | ProblemDetails](answer *T, facts firewall.Facts) {
	v := reflect.ValueOf(answer).Elem()
	for fact, values := range facts {
		member(v, string(fact)).set(values)
	}
}

// A textMember is an optional member of an object: a text, or a list of texts.
type textMember struct{ reflect.Value }

// member finds the field of a generated struct by the name of its member. That
// openapi.yaml has each is a test.
func member(object reflect.Value, name string) textMember {
	t := object.Type()
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return textMember{object.Field(i)}
		}
	}
	panic("api: " + t.Name() + " has no member " + name + "; add it to openapi.yaml")
}

func (m textMember) texts() []string {
	if m.IsNil() {
		return nil
	}
	if m.Elem().Kind() == reflect.String {
		return []string{m.Elem().String()}
	}
	texts := make([]string, m.Elem().Len())
	for i := range texts {
		texts[i] = m.Elem().Index(i).String()
	}
	return texts
}

func (m textMember) set(texts []string) {
	if len(texts) == 0 {
		m.SetZero()
		return
	}
	value := reflect.New(m.Type().Elem())
	if value.Elem().Kind() == reflect.String {
		value.Elem().SetString(texts[0])
	} else {
		list := reflect.MakeSlice(value.Elem().Type(), len(texts), len(texts))
		for i, text := range texts {
			list.Index(i).SetString(text)
		}
		value.Elem().Set(list)
	}
	m.Set(value)
}
