package schema

// attr starts a definition with the characteristics that RFC 7643 section 2.2
// gives to an attribute that says nothing else.
func attr(name string, t Type, description string, traits ...func(*Attribute)) Attribute {
	a := Attribute{
		Name: name, Type: t, Description: description,
		Mutability: ReadWrite, Returned: Default, Uniqueness: "none",
	}
	for _, trait := range traits {
		trait(&a)
	}
	return a
}

func multi(a *Attribute)     { a.MultiValued = true }
func required(a *Attribute)  { a.Required = true }
func caseExact(a *Attribute) { a.CaseExact = true }
func readOnly(a *Attribute)  { a.Mutability = ReadOnly }
func immutable(a *Attribute) { a.Mutability = Immutable }
func always(a *Attribute)    { a.Returned = Always }

func unique(a *Attribute) { a.Uniqueness = "server" }

func canonical(values ...string) func(*Attribute) {
	return func(a *Attribute) { a.CanonicalValues = values }
}

func refers(types ...string) func(*Attribute) {
	return func(a *Attribute) { a.ReferenceTypes, a.CaseExact = types, true }
}

func subs(attributes ...Attribute) func(*Attribute) {
	return func(a *Attribute) { a.SubAttributes = attributes }
}

// values are the sub-attributes of RFC 7643 section 2.4 that most
// multi-valued attributes have.
func values(t Type, types ...string) func(*Attribute) {
	value := attr("value", t, "The value itself.")
	if t == Reference {
		refers("external")(&value)
	}
	return func(a *Attribute) {
		multi(a)
		a.SubAttributes = []Attribute{
			value,
			attr("display", String, "A human-readable name of the value."),
			attr("type", String, "What the value is used for.", canonical(types...)),
			attr("primary", Boolean, "Whether this is the preferred value; true at most once."),
		}
	}
}

// common are the attributes of every resource; by RFC 7643 section 3.1 no
// schema lists them.
var common = []Attribute{
	attr("schemas", Reference, "The URIs of the schemas of this resource.", multi, required, always, refers("uri")),
	attr("id", String, "The bridge's identifier of this resource.", readOnly, caseExact, always, unique),
	attr("externalId", String, "The identity provider's identifier of this resource.", caseExact),
	attr("meta", Complex, "What the bridge knows about the resource itself.", readOnly, subs(
		attr("resourceType", String, "The kind of resource.", readOnly, caseExact),
		attr("created", DateTime, "When the resource was made.", readOnly),
		attr("lastModified", DateTime, "When the resource was last changed.", readOnly),
		attr("location", Reference, "The resource's own address.", readOnly, refers("uri")),
		attr("version", String, "The entity tag of this version.", readOnly, caseExact),
	)),
}

// User is a person (RFC 7643 section 4.1) with the enterprise extension. Names
// and descriptions are those of section 8.7: test suites look for them.
var User = &Resource{
	Name: "User", Endpoint: "/Users", Description: "User Account",
	Core: &Schema{ID: UserURI, Name: "User", Description: "User Account", Attributes: []Attribute{
		attr("userName", String, "The identity provider's name for the person, unique without regard to case.",
			required, unique),
		attr("name", Complex, "The parts of the person's name.", subs(
			attr("formatted", String, "The whole name as it is displayed."),
			attr("familyName", String, "The family name."),
			attr("givenName", String, "The given name."),
			attr("middleName", String, "The middle names."),
			attr("honorificPrefix", String, "The title before the name."),
			attr("honorificSuffix", String, "The suffix after the name."),
		)),
		attr("displayName", String, "The name that others see."),
		attr("nickName", String, "The casual way to address the person."),
		attr("profileUrl", Reference, "The address of the person's profile.", refers("external")),
		attr("title", String, "The person's position."),
		attr("userType", String, "The relation between person and organisation."),
		attr("preferredLanguage", String, "The languages that the person prefers."),
		attr("locale", String, "The person's locale."),
		attr("timezone", String, "The person's time zone."),
		attr("active", Boolean, "False suspends the person; true, or nothing, does not.",
			func(a *Attribute) { a.absent = true }),
		attr("password", String, "Accepted and thrown away: the account never learns anybody's password.", caseExact,
			func(a *Attribute) { a.Mutability, a.Returned = WriteOnly, Never }),
		attr("emails", Complex, "E-mail addresses.", values(String, "work", "home", "other")),
		attr("phoneNumbers", Complex, "Telephone numbers.",
			values(String, "work", "home", "mobile", "fax", "pager", "other")),
		attr("ims", Complex, "Instant messaging addresses.",
			values(String, "aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo")),
		attr("photos", Complex, "Addresses of pictures.", values(Reference, "photo", "thumbnail")),
		attr("addresses", Complex, "Postal addresses.", multi, subs(
			attr("formatted", String, "The whole address as it is displayed."),
			attr("streetAddress", String, "Street and house number."),
			attr("locality", String, "City."),
			attr("region", String, "State or region."),
			attr("postalCode", String, "Postal code."),
			attr("country", String, "Country."),
			attr("type", String, "What the address is used for.", canonical("work", "home", "other")),
			attr("primary", Boolean, "Whether this is the preferred address; true at most once."),
		)),
		attr("groups", Complex, "The groups that the person belongs to; changed through the groups.", multi,
			readOnly, subs(
				attr("value", String, "The group's id.", readOnly, caseExact),
				attr("$ref", Reference, "The group's address.", readOnly, refers("Group")),
				attr("display", String, "The group's name.", readOnly),
				attr("type", String, "How the person belongs to it.", readOnly, canonical("direct", "indirect")),
			)),
		attr("entitlements", Complex, "What the person is entitled to.", values(String)),
		attr("roles", Complex, "The person's roles.", values(String)),
		attr("x509Certificates", Complex, "The person's certificates.", values(Binary)),
	}},
	Extensions: []*Schema{{
		ID: EnterpriseURI, Name: "EnterpriseUser", Description: "Enterprise User",
		Attributes: []Attribute{
			attr("employeeNumber", String, "The person's number in the organisation."),
			attr("costCenter", String, "The person's cost centre."),
			attr("organization", String, "The person's organisation."),
			attr("division", String, "The person's division."),
			attr("department", String, "The person's department."),
			attr("manager", Complex, "The person's manager.", subs(
				attr("value", String, "The manager's id.", caseExact),
				attr("$ref", Reference, "The manager's address.", refers("User")),
				attr("displayName", String, "The manager's name."),
			)),
		},
	}},
}

// Group is a group (RFC 7643 section 4.2).
var Group = &Resource{
	Name: "Group", Endpoint: "/Groups", Description: "Group",
	Core: &Schema{ID: GroupURI, Name: "Group", Description: "Group", Attributes: []Attribute{
		attr("displayName", String, "The group's name, unique without regard to case.", required, unique),
		attr("members", Complex, "The members of the group.", multi, subs(
			attr("value", String, "The member's id.", immutable, caseExact),
			attr("$ref", Reference, "The member's address.", immutable, refers("User", "Group")),
			attr("display", String, "The member's name.", readOnly),
			attr("type", String, "The member's kind.", immutable, canonical("User", "Group")),
		)),
	}},
}
