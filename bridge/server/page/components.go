package page

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

// Components shows the state of each component, since when, and its last problem.
func Components(history *health.History) Section {
	return Section{
		Name: "components", Unconfirmed: true,
		Data: func(v *Visit) any {
			history.Note(v.Health)
			list := componentList{Now: v.Now}
			for _, r := range v.Health.Reports {
				c := component{Report: r, Past: history.Of(r.Source), Name: componentName(r.Source)}
				c.Problem = len(r.Problems) > 0
				list.Components = append(list.Components, c)
			}
			return list
		},
	}
}

type componentList struct {
	Now        time.Time
	Components []component
}

type component struct {
	health.Report
	Past    health.Past
	Name    string
	Problem bool // its last problem is one that it has
}

// componentName says what a component is for.
func componentName(source string) string {
	switch source {
	case "session":
		return "Sealed session"
	case "account":
		return "Connection to the account"
	case "directory":
		return "Connection to the SCIM server"
	case "confirmation":
		return "Confirming new members"
	case "members":
		return "Members of groups"
	case "tokens":
		return "Bearer tokens"
	case "connections":
		return "Connections of clients"
	case "data_folder":
		return "Data folder"
	case "certificate":
		return "Certificate"
	}
	return capitalise(source)
}
