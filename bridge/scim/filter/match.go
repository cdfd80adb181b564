package filter

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// Match evaluates a predicate on decoded JSON: a resource, or an element of a
// multi-valued attribute.
func Match(p bridge.Predicate, on any) bool {
	switch p.Op {
	case "and":
		for _, term := range p.Terms {
			if !Match(term, on) {
				return false
			}
		}
		return true
	case "or":
		for _, term := range p.Terms {
			if Match(term, on) {
				return true
			}
		}
		return false
	case "not":
		return len(p.Terms) == 1 && !Match(p.Terms[0], on)
	case "any":
		list, _ := valueAt(on, p.Path).([]any)
		for _, element := range list {
			if len(p.Terms) == 1 && Match(p.Terms[0], element) {
				return true
			}
		}
		return false
	case "pr":
		return present(valueAt(on, p.Path))
	}
	return compare(p, valueAt(on, p.Path))
}

func valueAt(on any, path []string) any {
	for _, key := range path {
		object, _ := on.(map[string]any)
		on = object[key]
	}
	return on
}

// present follows RFC 7644 table 3: an attribute that has a value, a complex
// one that has a sub-attribute, a multi-valued one that has an element.
func present(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

func compare(p bridge.Predicate, have any) bool {
	if p.Op == "ne" {
		return !equal(have, p.Value, p.CaseExact)
	}
	if p.Op == "eq" {
		return equal(have, p.Value, p.CaseExact)
	}
	if order, ok := ordered(have, p.Value, p.CaseExact); ok {
		switch p.Op {
		case "gt":
			return order > 0
		case "ge":
			return order >= 0
		case "lt":
			return order < 0
		case "le":
			return order <= 0
		}
	}
	text, isText := have.(string)
	want, wantText := p.Value.(string)
	if !isText || !wantText {
		return false
	}
	if !p.CaseExact {
		text, want = fold(text), fold(want)
	}
	switch p.Op {
	case "co":
		return strings.Contains(text, want)
	case "sw":
		return strings.HasPrefix(text, want)
	case "ew":
		return strings.HasSuffix(text, want)
	}
	return false
}

// fold is the account's fold of texts (Unicode's full case folding, NFC), so
// that a filter means the same whether the account answers it or this package.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

func equal(have, want any, caseExact bool) bool {
	if order, ok := ordered(have, want, caseExact); ok {
		return order == 0
	}
	a, isBool := have.(bool)
	b, wantBool := want.(bool)
	return isBool && wantBool && a == b
}

// ordered compares two numbers, two times or two texts.
func ordered(a, b any, caseExact bool) (int, bool) {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return 0, false
		}
		return compareNumbers(a, b)
	case string:
		b, ok := b.(string)
		if !ok {
			return 0, false
		}
		s, errA := time.Parse(time.RFC3339, a)
		t, errB := time.Parse(time.RFC3339, b)
		if errA == nil && errB == nil {
			return s.Compare(t), true
		}
		if !caseExact {
			a, b = fold(a), fold(b)
		}
		return strings.Compare(a, b), true
	}
	return 0, false
}

// compareNumbers keeps the digits that float64 would lose. An exponent is
// bounded, since 1e999999999 would be computed digit by digit.
func compareNumbers(a, b json.Number) (int, bool) {
	if len(a)+len(b) < 100 && !strings.ContainsAny(string(a)+string(b), "eE") {
		x, okX := new(big.Rat).SetString(a.String())
		y, okY := new(big.Rat).SetString(b.String())
		if okX && okY {
			return x.Cmp(y), true
		}
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	switch {
	case errX != nil || errY != nil:
		return 0, false
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

// Implied returns the parts that every element fulfilling p has, if p says no
// more than that: type eq "work" and primary eq true. An operation on an
// element that does not exist creates it from these.
func Implied(p bridge.Predicate) (map[string]any, bool) {
	parts := make(map[string]any)
	return parts, imply(p, parts)
}

func imply(p bridge.Predicate, parts map[string]any) bool {
	switch {
	case p.Op == "and":
		for _, term := range p.Terms {
			if !imply(term, parts) {
				return false
			}
		}
		return true
	case p.Op == "eq" && len(p.Path) == 1:
		if have, twice := parts[p.Path[0]]; twice && !equal(have, p.Value, p.CaseExact) {
			return false
		}
		parts[p.Path[0]] = p.Value
		return true
	}
	return false
}
