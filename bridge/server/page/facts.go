package page

// Facts shows which bridge this is.
func Facts() Section {
	return Section{
		Name: "facts", Unconfirmed: true,
		Data: func(v *Visit) any { return v },
	}
}
