package simulate

import "net/http"

// okta speaks as Okta's SCIM client does: it pages from 1 by 100, updates a
// person by PUT of the whole resource, switches him on and off by a PATCH
// without a path, and never deletes him. A rename of the group travels with
// every change of its members.
// Sources: developer.okta.com, SCIM 2.0 reference, and the exchanges recorded
// in exchanges.json.
type okta struct{}

func (okta) connectionTest(string) []Step {
	number := func(path string) Check { return check(Path{path}, "type", "number") }
	unauthorized := get(`/Users?filter=userName eq "x"`, check(Path{"status"}, "eqs", "401"))
	unauthorized.Headers = map[string]string{"Authorization": "non-token"}
	unauthorized.Expect = []int{http.StatusUnauthorized}
	return []Step{
		get("/Users?startIndex=1&count=100", number("totalResults"), number("startIndex"), check(Path{"itemsPerPage"}, "pagelen", nil)),
		get("/Groups?startIndex=1&count=100", number("totalResults")),
		unauthorized,
	}
}

func (okta) findPerson(p person) Step {
	return get(`/Users?filter=userName eq "`+p.userName+`"&startIndex=1&count=100`, check(Path{"totalResults"}, "type", "number"))
}

func (o okta) createPerson(p person) Step {
	body := o.resource(p)
	body["password"] = "1mz050nq" // Okta makes one up; it must never come back
	return post("/Users", body, check(Path{"id"}, "set", nil), check(Path{"userName"}, "eq", p.userName),
		check(Path{"active"}, "eq", true), check(Path{"password"}, "unset", nil))
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
	same := active == p.active && text(has, "title") == p.title && text(has, "displayName") == p.display() &&
		text(has, enterpriseSchema, "department") == p.department
	if same {
		return nil
	}
	body := o.resource(p)
	body["id"], body["meta"] = id, object{"resourceType": "User"}
	body["name"].(object)["middleName"] = "" // an unset part of a name
	return []Step{
		get(at("Users", id), check(Path{"id"}, "eq", id)),
		put(at("Users", id), body, check(Path{"id"}, "eq", id), check(Path{"title"}, "eq", p.title), check(Path{"active"}, "eq", p.active)),
	}
}

func (okta) setActive(id string, _ person, active bool) Step {
	return patch(at("Users", id), object{"op": "replace", "value": object{"active": active}})
}

func (okta) findTeam(name string) Step {
	return get(`/Groups?filter=displayName eq "`+name+`"&startIndex=1&count=100`, check(Path{"totalResults"}, "type", "number"))
}

func (okta) createTeam(name string) Step {
	return post("/Groups", object{"schemas": []string{groupSchema}, "displayName": name, "members": []object{}},
		check(Path{"id"}, "set", nil), check(Path{"displayName"}, "eq", name))
}

func (o okta) addMembers(id, name string, members []member) []Step {
	values := make([]object, len(members))
	for i, m := range members {
		values[i] = object{"value": m.id, "display": m.display}
	}
	return []Step{o.rename(id, name), patch(at("Groups", id), object{"op": "add", "path": "members", "value": values})}
}

func (o okta) removeMembers(id, name string, members []member) []Step {
	ops := make([]object, len(members))
	for i, m := range members {
		ops[i] = object{"op": "remove", "path": `members[value eq "` + m.id + `"]`}
	}
	return []Step{o.rename(id, name), patch(at("Groups", id), ops...)}
}

// rename carries the read-only id inside the value.
func (okta) rename(id, name string) Step {
	return patch(at("Groups", id), object{"op": "replace", "value": object{"id": id, "displayName": name}})
}
