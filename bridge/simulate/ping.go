package simulate

import "net/http"

// ping speaks as PingFederate's and PingOne's SCIM provisioners do: they look
// for a user of id 0 before they work, match by userName or by work address,
// know no PATCH, so that people and groups are replaced as a whole, send the
// work address as the home address too, and switch people off by PUT.
// Sources: docs.pingidentity.com, p1_scim_provisioning_limitations ("does not
// support patch updates", "cannot clear a user attribute"),
// pf_scim_connector_scim_connector_settings_reference (the unique user
// identifier, Remove User Action), pf_scim_connector_user_and_group_management,
// and pf_github_emu_connector_user_and_group_management (GET /Users/0).
type ping struct{ puts }

func (ping) connectionTest(string) []Step {
	missing := get("/Users/0", check(Path{"status"}, "eqs", "404")).as(habitNotFound)
	missing.Expect = []int{http.StatusNotFound}
	return []Step{
		missing,
		needing(featureFilter, get("/ServiceProviderConfig", check(Path{"filter", "supported"}, "eq", true))),
		get(`/Users?filter=`+eq("emails", "nobody@invalid.example"), check(Path{"totalResults"}, "eq", 0.0)).
			as(habitSearchNone),
	}
}

// findPerson uses either identifier: a deployment chooses one.
func (ping) findPerson(p person) Step {
	if p.number%2 == 0 {
		return get(`/Users?filter=`+eq("emails", p.userName), listed()).as(habitFindEmail)
	}
	return get(`/Users?filter=`+eq("userName", p.userName), listed())
}

func (g ping) createPerson(p person) Step {
	return post("/Users", g.puts(p), check(Path{"id"}, "set", nil), check(Path{"userName"}, "eq", p.userName))
}

func pingUser(p person) object {
	return object{
		"schemas":     []string{userSchema, enterpriseSchema},
		"userName":    p.userName,
		"displayName": p.display(),
		"title":       p.title,
		"name":        object{"givenName": p.given, "familyName": p.family},
		"emails": []object{
			{"value": p.userName, "type": "work", "primary": true},
			{"value": p.userName, "type": "home", "primary": true},
		},
		"active": p.active,
	}
}

func (ping) findTeam(name string) Step {
	return get(`/Groups?filter=`+eq("displayName", name), listed())
}

func (ping) createTeam(name string) Step {
	return post("/Groups", object{"schemas": []string{groupSchema}, "displayName": name}, check(Path{"id"}, "set", nil))
}

func (ping) changeMembers(g group, _, _ []member) []Step {
	return []Step{put(at("Groups", g.id), object{
		"schemas": []string{groupSchema}, "displayName": g.name, "members": memberValues(g.members),
	}, check(Path{"id"}, "eq", g.id))}
}
