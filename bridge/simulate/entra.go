package simulate

// entra speaks as Microsoft Entra ID does without the aadOptscim062020 flag:
// operations in PascalCase, one for each attribute, booleans as strings. It
// matches by userName and displayName, and deprovisions by switching off.
// Sources: entra-docs, use-scim-to-provision-users-and-groups.md and
// application-provisioning-config-problem-scim-compatibility.md.
type entra struct{}

func (entra) connectionTest(random string) []Step {
	return []Step{
		get(`/Users?filter=userName eq "`+random+`"`, check(Path{"totalResults"}, "eq", 0.0)).as(habitSearchNone),
		get("/Schemas", check(Path{"Resources"}, "type", "array")),
		needing(featurePatch, get("/ServiceProviderConfig", check(Path{"patch", "supported"}, "eq", true))),
	}
}

func (entra) findPerson(p person) Step {
	return get(`/Users?filter=userName eq "`+p.userName+`"`, listed())
}

func (entra) createPerson(p person) Step {
	return post("/Users", object{
		"schemas":           []string{userSchema, enterpriseSchema},
		"externalId":        p.guid(),
		"userName":          p.userName,
		"active":            true,
		"displayName":       p.display(),
		"title":             p.title,
		"preferredLanguage": "en-US",
		"emails":            []object{{"primary": true, "type": "work", "value": p.userName}},
		"meta":              object{"resourceType": "User"},
		"name":              object{"formatted": p.display(), "familyName": p.family, "givenName": p.given},
		"roles":             []object{},
		enterpriseSchema:    object{"department": p.department},
	}, check(Path{"id"}, "set", nil), check(Path{"userName"}, "eq", p.userName),
		check(Path{"active"}, "eq", true)).as(habitCreateExtra)
}

func (e entra) updatePerson(id string, has any, p person) []Step {
	var ops []object
	set := func(path, value string, at ...string) {
		switch before := stringAt(has, at...); {
		case before == "":
			ops = append(ops, object{"op": "Add", "path": path, "value": value})
		case before != value:
			ops = append(ops, object{"op": "Replace", "path": path, "value": value})
		}
	}
	set("displayName", p.display(), "displayName")
	set("title", p.title, "title")
	set("name.givenName", p.given, "name", "givenName")
	set("name.familyName", p.family, "name", "familyName")
	set(enterpriseSchema+":department", p.department, enterpriseSchema, "department")
	if p.manager != "" {
		// a bare string, never the complex form
		set(enterpriseSchema+":manager", p.manager, enterpriseSchema, "manager", "value")
	}
	if active, _ := (Path{"active"}).in(has); active != p.active {
		ops = append(ops, object{"op": "Replace", "path": "active", "value": titleCase(p.active)})
	}
	if len(ops) == 0 {
		return nil
	}
	return []Step{patch(at("Users", id), ops...).as(habitPatchText)}
}

func (e entra) leave(id string, _ person) Step    { return e.setActive(id, false) }
func (e entra) comeBack(id string, _ person) Step { return e.setActive(id, true) }

func (entra) setActive(id string, active bool) Step {
	return patch(at("Users", id), object{"op": "Replace", "path": "active", "value": titleCase(active)}).
		as(habitPatchText)
}

func (entra) findTeam(name string) Step {
	return get(`/Groups?excludedAttributes=members&filter=displayName eq "`+name+`"`,
		check(Path{"totalResults"}, "type", "number"), check(Path{"Resources", "0", "members"}, "unset", nil))
}

func (entra) createTeam(name string) Step {
	return post("/Groups", object{
		"schemas": []string{groupSchema,
			"http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"},
		"externalId":  person{userName: name}.guid(),
		"displayName": name,
		"meta":        object{"resourceType": "Group"},
	}, check(Path{"id"}, "set", nil), check(Path{"displayName"}, "eq", name))
}

// changeMembers sends the members that leave as a value list, which by the letter of
// RFC 7644 would empty the group.
func (entra) changeMembers(g group, join, leave []member) []Step {
	change := func(op string) func([]member) Step {
		return func(some []member) Step {
			return patch(at("Groups", g.id), object{"op": op, "path": "members", "value": entraMembers(some)})
		}
	}
	return append(allAs(habitMembersList, inBatches(leave, change("Remove"))), inBatches(join, change("Add"))...)
}

func entraMembers(members []member) []object {
	values := make([]object, len(members))
	for i, m := range members {
		values[i] = object{"$ref": nil, "value": m.id}
	}
	return values
}

func titleCase(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
