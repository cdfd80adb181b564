package simulate

// onelogin speaks as OneLogin's SCIM provisioner does: it searches for a
// user that cannot exist, creates people without a key of its own, updates them by
// PUT, switches them off by PUT, and changes members by a value list.
// Source: traffic of a live tenant, in the tests of linkyard/scim-scala
// (OneLoginClientSpec.scala) and goauthentik/authentik#11249.
type onelogin struct{ puts }

func (onelogin) connectionTest(string) []Step {
	return []Step{
		get(`/Users?filter=`+eq("userName", "never-existing-user"), check(Path{"totalResults"}, "eq", 0.0)).
			as(habitSearchNone),
		get("/Groups?count=100&startIndex=1", listed()),
	}
}

func (onelogin) findPerson(p person) Step {
	return get(`/Users?filter=`+eq("userName", p.userName), listed())
}

func (o onelogin) createPerson(p person) Step {
	return post("/Users", o.puts(p), check(Path{"id"}, "set", nil), check(Path{"userName"}, "eq", p.userName))
}

func oneloginUser(p person) object {
	return object{
		"schemas":        []string{userSchema, enterpriseSchema},
		"userName":       p.userName,
		"displayName":    p.display(),
		"title":          p.title,
		"name":           object{"givenName": p.given, "familyName": p.family},
		"emails":         []object{{"primary": true, "type": "work", "value": p.userName}},
		"active":         p.active,
		enterpriseSchema: object{"department": p.department},
	}
}

func (onelogin) findTeam(name string) Step {
	return get(`/Groups?filter=`+eq("displayName", name), listed())
}

func (onelogin) createTeam(name string) Step {
	return post("/Groups", object{"schemas": []string{groupSchema}, "displayName": name}, check(Path{"id"}, "set", nil))
}

func (onelogin) changeMembers(g group, join, leave []member) []Step {
	change := func(op string) func([]member) Step {
		return func(some []member) Step {
			return patch(at("Groups", g.id), object{"value": memberValues(some), "op": op, "path": "members"})
		}
	}
	return append(allAs(habitMembersList, inBatches(leave, change("remove"))), inBatches(join, change("add"))...)
}
