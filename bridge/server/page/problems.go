package page

// Problems shows what is wrong, with causes and remedies.
func Problems() Section {
	return Section{
		Name: "problems", Unconfirmed: true,
		Data: func(v *Visit) any { return v.Health },
	}
}
