package page

// Overlap shows that two bearer tokens are valid.
func Overlap() Section {
	return Section{
		Name: "overlap", Unconfirmed: true,
		Data: func(v *Visit) any {
			if v.Health.Overlap == nil {
				return nil
			}
			return v.Health.Overlap
		},
	}
}
