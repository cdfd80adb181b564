package simulate

// google speaks as Google Workspace's automated user provisioning does: plain
// JSON under a User-Agent of its own, people matched by userName, attributes
// replaced one by one, and suspends people that lose access. It provisions
// people alone: groups choose them, and are not pushed.
// Sources: RIPAGlobal/scimitar, application_controller_spec.rb (content type
// and User-Agent), getprobo/probo#711 (active at creation), and
// support.google.com/a, "Automated user provisioning" (deprovisioning, scope).
type google struct{}

func (google) connectionTest(random string) []Step {
	return []Step{
		get(`/Users?filter=`+eq("userName", random)+`&startIndex=1&count=1`, check(Path{"totalResults"}, "eq", 0.0)).
			as(habitSearchNone),
		needing(featurePatch, get("/ServiceProviderConfig", check(Path{"patch", "supported"}, "eq", true))),
	}
}

func (google) findPerson(p person) Step {
	return get(`/Users?filter=`+eq("userName", p.userName)+`&startIndex=1&count=1`, listed())
}

func (google) createPerson(p person) Step {
	return post("/Users", object{
		"schemas":        []string{userSchema, enterpriseSchema},
		"userName":       p.userName,
		"displayName":    p.display(),
		"title":          p.title,
		"name":           object{"givenName": p.given, "familyName": p.family},
		"emails":         []object{{"value": p.userName, "type": "work", "primary": true}},
		"active":         p.active,
		enterpriseSchema: object{"department": p.department},
	}, check(Path{"id"}, "set", nil), check(Path{"active"}, "eq", true)).as(habitPlainJSON)
}

func (g google) updatePerson(id string, has any, p person) []Step {
	var ops []object
	set := func(path, value string, at ...string) {
		if stringAt(has, at...) != value {
			ops = append(ops, object{"op": "replace", "path": path, "value": value})
		}
	}
	set("title", p.title, "title")
	set("displayName", p.display(), "displayName")
	set("name.givenName", p.given, "name", "givenName")
	set("name.familyName", p.family, "name", "familyName")
	if active, _ := (Path{"active"}).in(has); active != p.active {
		ops = append(ops, object{"op": "replace", "path": "active", "value": p.active})
	}
	if len(ops) == 0 {
		return nil
	}
	return []Step{patch(at("Users", id), ops...)}
}

func (g google) leave(id string, _ person) Step    { return g.setActive(id, false) }
func (g google) comeBack(id string, _ person) Step { return g.setActive(id, true) }

func (google) setActive(id string, active bool) Step {
	return patch(at("Users", id), object{"op": "replace", "path": "active", "value": active}).as(habitSuspend)
}
