package simulate

import "net/http"

// okta speaks as Okta's SCIM client does: it pages from 1 by 100, updates a
// person by PUT of the whole resource, suspends and reactivates people by a
// PATCH without a path, and never deletes them. A rename of the group travels with
// every change of its members.
// Sources: developer.okta.com, SCIM 2.0 reference, and the exchanges recorded
// in exchanges.json.
type okta struct{}

func (okta) connectionTest(string) []Step {
	number := func(path string) Check { return check(Path{path}, "type", "number") }
	unauthorized := get(`/Users?filter=userName eq "x"`, check(Path{"status"}, "eqs", "401")).as(habitUnauthorized)
	unauthorized.Headers = map[string]string{"Authorization": "non-token"}
	unauthorized.Expect = []int{http.StatusUnauthorized}
	return []Step{
		get("/Users?startIndex=1&count=100", number("totalResults"), number("startIndex"),
			check(Path{"itemsPerPage"}, "pagelen", nil)),
		get("/Groups?startIndex=1&count=100", number("totalResults")),
		unauthorized,
	}
}

func (okta) findPerson(p person) Step {
	return get(`/Users?filter=userName eq "`+p.userName+`"&startIndex=1&count=100`,
		check(Path{"totalResults"}, "type", "number"))
}

func (o okta) createPerson(p person) Step {
	body := o.resource(p)
	body["password"] = "1mz050nq" // Okta makes one up; it must never come back
	return post("/Users", body, check(Path{"id"}, "set", nil), check(Path{"userName"}, "eq", p.userName),
		check(Path{"active"}, "eq", true), check(Path{"password"}, "unset", nil)).as(habitCreateExtra)
}

func (okta) resource(p person) object {
	return object{
		"schemas":     []string{userSchema, enterpriseSchema},
		"userName":    p.userName,
		"name":        object{"givenName": p.given, "familyName": p.family},
		"emails":      []object{{"primary": true, "value": p.userName, "type": "work"}},
		"displayName": p.display(),
		"title":       p.title,
		"locale":      "en-US",
		"externalId":  "00u" + p.guid()[24:],
		"groups":      []object{}, // read-only, and sent all the same
		"active":      p.active,
		enterpriseSchema: object{
			"department": p.department,
		},
	}
}

func (o okta) updatePerson(id string, has any, p person) []Step {
	active, _ := Path{"active"}.in(has)
	same := active == p.active && stringAt(has, "title") == p.title && stringAt(has, "displayName") == p.display() &&
		stringAt(has, enterpriseSchema, "department") == p.department
	if same {
		return nil
	}
	body := o.resource(p)
	body["id"], body["meta"] = id, object{"resourceType": "User"}
	body["name"].(object)["middleName"] = "" // an unset part of a name
	return []Step{
		get(at("Users", id), check(Path{"id"}, "eq", id)),
		put(at("Users", id), body, check(Path{"id"}, "eq", id), check(Path{"title"}, "eq", p.title),
			check(Path{"active"}, "eq", p.active)),
	}
}

func (o okta) leave(id string, _ person) Step    { return o.setActive(id, false) }
func (o okta) comeBack(id string, _ person) Step { return o.setActive(id, true) }

func (okta) setActive(id string, active bool) Step {
	return patch(at("Users", id), object{"op": "replace", "value": object{"active": active}}).as(habitSuspend)
}

func (okta) findTeam(name string) Step {
	return get(`/Groups?filter=displayName eq "`+name+`"&startIndex=1&count=100`,
		check(Path{"totalResults"}, "type", "number"))
}

func (okta) createTeam(name string) Step {
	return post("/Groups", object{"schemas": []string{groupSchema}, "displayName": name, "members": []object{}},
		check(Path{"id"}, "set", nil), check(Path{"displayName"}, "eq", name))
}

// changeMembers names the members that leave one by one, and repeats the name.
func (o okta) changeMembers(g group, join, leave []member) []Step {
	// The value carries the read-only id.
	rename := patch(at("Groups", g.id), object{"op": "replace", "value": object{"id": g.id, "displayName": g.name}})
	steps := []Step{rename.as(habitRenameGroup)}
	steps = append(steps, inBatches(leave, func(some []member) Step {
		ops := make([]object, len(some))
		for i, m := range some {
			ops[i] = object{"op": "remove", "path": `members[` + eq("value", m.id) + `]`}
		}
		return patch(at("Groups", g.id), ops...).as(habitMembersRemove)
	})...)
	return append(steps, inBatches(join, func(some []member) Step {
		list := memberValues(some)
		for i, m := range some {
			list[i]["display"] = m.display
		}
		return patch(at("Groups", g.id), object{"op": "add", "path": "members", "value": list})
	})...)
}
