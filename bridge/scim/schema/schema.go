package schema

import (
	"fmt"
	"strings"
)

// URIs of the schemas that the bridge knows.
const (
	UserURI       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURI      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURI = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// Type is an attribute's data type (RFC 7643 section 2.3).
type Type string

// The data types.
const (
	String    Type = "string"
	Boolean   Type = "boolean"
	Decimal   Type = "decimal"
	Integer   Type = "integer"
	DateTime  Type = "dateTime"
	Binary    Type = "binary"
	Reference Type = "reference"
	Complex   Type = "complex"
)

// Mutability is who may write an attribute (RFC 7643 section 7).
type Mutability string

// The mutabilities.
const (
	ReadWrite Mutability = "readWrite"
	ReadOnly  Mutability = "readOnly"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"
)

// Returned is when an answer shows an attribute (RFC 7643 section 7).
type Returned string

// The rules of return.
const (
	Always    Returned = "always"
	Never     Returned = "never"
	Default   Returned = "default"
	OnRequest Returned = "request"
)

// An Attribute is one attribute definition; its JSON is that of RFC 7643
// section 7.
type Attribute struct {
	Name            string      `json:"name"`
	Type            Type        `json:"type"`
	SubAttributes   []Attribute `json:"subAttributes,omitempty"`
	MultiValued     bool        `json:"multiValued"`
	Description     string      `json:"description"`
	Required        bool        `json:"required"`
	CanonicalValues []string    `json:"canonicalValues,omitempty"`
	CaseExact       bool        `json:"caseExact"`
	Mutability      Mutability  `json:"mutability"`
	Returned        Returned    `json:"returned"`
	Uniqueness      string      `json:"uniqueness"`
	ReferenceTypes  []string    `json:"referenceTypes,omitempty"`

	// absent is the value of an attribute that was never set; nil for none.
	absent any
}

// HasDefault reports whether an attribute has a value before it is set.
func (a *Attribute) HasDefault() bool { return a.absent != nil }

// Sub finds a sub-attribute without regard to case, or nil.
func (a *Attribute) Sub(name string) *Attribute {
	if a == nil {
		return nil
	}
	return find(a.SubAttributes, name)
}

// Dropped reports whether a client's value is ignored: the attribute is
// read-only, or a password, which is not kept.
func (a *Attribute) Dropped() bool {
	return a.Mutability == ReadOnly || a.Mutability == WriteOnly
}

// A Schema is a set of attributes under a URI.
type Schema struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Attributes  []Attribute `json:"attributes"`
}

// Attribute finds an attribute without regard to case, or nil.
func (s *Schema) Attribute(name string) *Attribute { return find(s.Attributes, name) }

func find(in []Attribute, name string) *Attribute {
	for i := range in {
		if strings.EqualFold(in[i].Name, name) {
			return &in[i]
		}
	}
	return nil
}

// A Resource is a kind of resource: its own schema and those that extend it.
type Resource struct {
	Name        string
	Endpoint    string
	Description string
	Core        *Schema
	Extensions  []*Schema
}

// Extension finds a known extension by its URI without regard to case, or nil.
func (r *Resource) Extension(uri string) *Schema {
	for _, s := range r.Extensions {
		if strings.EqualFold(s.ID, uri) {
			return s
		}
	}
	return nil
}

// Attribute finds an attribute of the core schema, common attributes
// (RFC 7643 section 3.1) included, or nil.
func (r *Resource) Attribute(name string) *Attribute {
	if a := r.Core.Attribute(name); a != nil {
		return a
	}
	return find(common, name)
}

// Kind is a scimType of RFC 7644 section 3.12.
type Kind string

// The kinds of fault that need no directory to be seen.
const (
	InvalidFilter Kind = "invalidFilter"
	InvalidPath   Kind = "invalidPath"
	InvalidSyntax Kind = "invalidSyntax"
	InvalidValue  Kind = "invalidValue"
	MutabilityErr Kind = "mutability"
	NoTarget      Kind = "noTarget"
	// TooLarge is no scimType: the RFC has status 413 for it.
	TooLarge Kind = "tooLarge"
)

// An Error is something wrong with what a client sent.
type Error struct {
	Kind   Kind
	Detail string // for the client: what is wrong and what to send instead
}

func (f *Error) Error() string { return f.Detail }

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
