package schema

import "strings"

// A Path is attribute notation (RFC 7644 section 3.10): an optional schema
// URI, an attribute and an optional sub-attribute, spelled as the client did.
type Path struct {
	URI, Name, Sub string
}

// ParsePath reads attribute notation.
func ParsePath(text string) (Path, error) {
	var p Path
	rest := text
	// A URI has colons and dots of its own; what follows its last colon is
	// the attribute, and no attribute name has a colon.
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		p.URI, rest = text[:i], text[i+1:]
	}
	var dotted bool
	p.Name, p.Sub, dotted = strings.Cut(rest, ".")
	if name, sub, more := strings.Cut(p.Sub, "."); more && p.URI != "" {
		// With two dots the first can only stand where a colon should.
		p.URI, p.Name, p.Sub = p.URI+":"+p.Name, name, sub
	}
	if !isName(p.Name) || dotted && !isName(p.Sub) {
		return Path{}, Errorf(InvalidPath, "%q is no attribute path; write attribute, attribute.sub or URI:attribute",
			truncate(text))
	}
	return p, nil
}

// isName follows RFC 7643 section 2.1 and admits $ref. Digits may lead: names
// such as "2fa" are in use.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		case c == '$' && i == 0:
		default:
			return false
		}
	}
	return s != "" && s != "$"
}

// truncate keeps a client's text quotable in an error.
func truncate(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func (p Path) String() string {
	s := p.Name
	if p.URI != "" {
		s = p.URI + ":" + s
	}
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}

// A Target is what a Path names in a kind of resource. Names are in their
// canonical spelling, or as sent where the schemas do not know them.
type Target struct {
	Extension string     // URI of the extension; empty for the core schema
	Name      string     // empty for a whole extension
	Attribute *Attribute // nil if unknown or a whole extension
	Sub       string
	SubDef    *Attribute // nil if unknown or if there is no Sub
}

// Keys lead from the resource to the target.
func (t Target) Keys() []string {
	var keys []string
	for _, k := range []string{t.Extension, t.Name, t.Sub} {
		if k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

func (t Target) String() string {
	return Path{URI: t.Extension, Name: t.Name, Sub: t.Sub}.String()
}

// Resolve finds what p names. Attributes that no schema knows are targets
// too: the bridge keeps what it does not understand.
//
// A name without a URI, or with that of the core schema, may be of an
// extension, since none of theirs is in the core schema. A dot may stand
// between URI and name (Apache SCIMple and WSO2 write it so), a colon before a
// sub-attribute, and the URI may lack its last part.
func (r *Resource) Resolve(p Path) Target {
	if p.URI == "" || strings.EqualFold(p.URI, r.Core.ID) {
		a := r.Attribute(p.Name)
		if a != nil {
			return target("", a, p)
		}
		if s := r.extending(p.Name); s != nil {
			return target(s.ID, s.Attribute(p.Name), p)
		}
		return target("", nil, p)
	}
	if s := r.Extension(p.URI); s != nil {
		return target(s.ID, s.Attribute(p.Name), p)
	}
	whole := p.URI + ":" + p.Name
	s := r.Extension(whole)
	switch {
	case s != nil && p.Sub == "":
		return Target{Extension: s.ID}
	case p.Sub != "" && (s != nil || strings.EqualFold(p.Name, r.Name) || 'A' <= p.Name[0] && p.Name[0] <= 'Z'):
		// Attributes begin in lower case (RFC 7643 section 2.1), so this is a
		// part of the URI.
		return r.Resolve(Path{URI: whole, Name: p.Sub})
	}
	return r.abbreviated(p)
}

// abbreviated resolves a path whose URI lacks its last part, or has an
// attribute behind it (a colon where a dot should stand), or is unknown.
func (r *Resource) abbreviated(p Path) Target {
	if i := strings.LastIndexByte(p.URI, ':'); i > 0 && p.Sub == "" {
		uri, name := p.URI[:i], p.URI[i+1:]
		if s := r.Extension(uri); s != nil && s.Attribute(name).Sub(p.Name) != nil ||
			strings.EqualFold(uri, r.Core.ID) && r.Attribute(name).Sub(p.Name) != nil {
			return r.Resolve(Path{URI: uri, Name: name, Sub: p.Name})
		}
	}
	lacksPart := func(s *Schema) bool { return strings.EqualFold(p.URI, s.ID[:strings.LastIndexByte(s.ID, ':')]) }
	if a := r.Attribute(p.Name); a != nil && lacksPart(r.Core) {
		return target("", a, p)
	}
	for _, s := range r.Extensions {
		if a := s.Attribute(p.Name); a != nil && lacksPart(s) {
			return target(s.ID, a, p)
		}
	}
	return target(p.URI, nil, p)
}

// extending returns the extension that has an attribute of this name, or nil.
func (r *Resource) extending(name string) *Schema {
	for _, s := range r.Extensions {
		if s.Attribute(name) != nil {
			return s
		}
	}
	return nil
}

// Reserved reports whether a URI lies where RFC 7643 says what there is, or is
// none, so that an attribute of it which no schema knows is a mistake.
// Elsewhere identity providers define extensions of their own.
func Reserved(uri string) bool {
	if !strings.Contains(uri, ":") {
		return true
	}
	uri = strings.ToLower(uri) + ":"
	return strings.HasPrefix(uri, "urn:ietf:params:scim:schemas:core:") ||
		strings.HasPrefix(uri, "urn:ietf:params:scim:schemas:extension:enterprise:")
}

func target(extension string, a *Attribute, p Path) Target {
	t := Target{Extension: extension, Name: p.Name, Attribute: a, Sub: p.Sub}
	if a == nil {
		return t
	}
	t.Name = a.Name
	if t.SubDef = a.Sub(p.Sub); t.SubDef != nil {
		t.Sub = t.SubDef.Name
	}
	return t
}
