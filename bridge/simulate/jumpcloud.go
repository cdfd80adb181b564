package simulate

// jumpcloud speaks as JumpCloud's custom SCIM integration does: activating it
// makes a test user and a test group, changes both and takes them away again;
// people are matched by userName, updated by PUT and switched off by PUT;
// members come and go as value lists, in plain JSON.
// Sources: jumpcloud.com, "Connect to an Application with a Custom SCIM
// Identity Management Integration" (the steps of the test, PUT for users), and
// app.uni-moni.com/en/kb/sso-setup-jumpcloud (the shape of member changes). No
// traffic is published: what the two leave open is as RFC 7644 has it.
type jumpcloud struct{ puts }

// connectionTest works on a person and a group of its own, under an id that
// only their answers tell: see Scenario.
func (j jumpcloud) connectionTest(random string) []Step {
	const user, group = "/Users/{{user}}", "/Groups/{{group}}"
	name := "jumpcloud-test-{{R}}-" + random[:8]
	test := person{given: "Test", family: "User", userName: name + "@{{domain}}", active: true}
	made := j.createPerson(test)
	made.Save = map[string]string{"user": "id"}
	grouped := j.createTeam(name)
	grouped.Save = map[string]string{"group": "id"}
	off := test
	off.active = false
	gone := get(user).as(habitDelete)
	gone.Expect = []int{404}
	return []Step{
		get(`/Users?filter=`+eq("userName", test.userName), check(Path{"totalResults"}, "eq", 0.0),
			check(Path{"Resources"}, "type", "array")).as(habitSearchNone),
		made,
		get(user, check(Path{"userName"}, "eq", test.userName)),
		put(user, j.puts(test), check(Path{"active"}, "eq", true)),
		grouped,
		patch(group, object{"op": "add", "path": "members", "value": []object{{"value": "{{user}}"}}}),
		get(group, check(Path{"members"}, "len", 1.0)).as(habitMembersAdd),
		patch(group, object{"op": "remove", "path": "members", "value": []object{{"value": "{{user}}"}}}).
			as(habitMembersList),
		remove(group),
		put(user, j.puts(off), check(Path{"active"}, "eq", false)).as(habitSuspendPut),
		remove(user),
		gone,
	}
}

func (jumpcloud) findPerson(p person) Step {
	return get(`/Users?filter=`+eq("userName", p.userName)+`&startIndex=1&count=1`, listed())
}

func (j jumpcloud) createPerson(p person) Step {
	return post("/Users", j.puts(p), check(Path{"id"}, "set", nil), check(Path{"userName"}, "eq", p.userName),
		check(Path{"active"}, "eq", true)).as(habitCreateExtra)
}

// jumpcloudUser fills what is unknown with empty texts and lists.
func jumpcloudUser(p person) object {
	return object{
		"schemas":     []string{userSchema, enterpriseSchema},
		"userName":    p.userName,
		"externalId":  p.guid(),
		"displayName": p.display(),
		"title":       p.title,
		"name": object{"givenName": p.given, "familyName": p.family, "middleName": "",
			"formatted": p.display()},
		"emails": []object{{"value": p.userName, "type": "work", "primary": true}},
		"addresses": []object{{"type": "work", "streetAddress": "", "locality": "", "region": "", "postalCode": "",
			"country": ""}},
		"phoneNumbers": []object{},
		"active":       p.active,
		enterpriseSchema: object{
			"department": p.department, "employeeNumber": "", "costCenter": "", "organization": "",
		},
	}
}

func (jumpcloud) findTeam(name string) Step {
	return get(`/Groups?filter=`+eq("displayName", name), listed())
}

func (jumpcloud) createTeam(name string) Step {
	return post("/Groups", object{"schemas": []string{groupSchema}, "displayName": name, "members": []object{}},
		check(Path{"id"}, "set", nil))
}

func (jumpcloud) changeMembers(g group, join, leave []member) []Step {
	change := func(op string) func([]member) Step {
		return func(some []member) Step {
			return patch(at("Groups", g.id), object{"op": op, "path": "members", "value": memberValues(some)})
		}
	}
	return append(allAs(habitMembersList, inBatches(leave, change("remove"))), inBatches(join, change("add"))...)
}
