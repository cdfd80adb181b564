package page

// Components shows the state of each component.
func Components() Section {
	return Section{
		Name: "components", Unconfirmed: true,
		Data: func(v *Visit) any { return v.Health.Reports },
	}
}
