package page

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Problems shows what is wrong, with causes and remedies.
func Problems() Section {
	return Section{
		Name: "problems", Unconfirmed: true,
		Data: func(v *Visit) any {
			list := problemList{Now: v.Now}
			for _, p := range v.Health.Problems {
				list.Problems = append(list.Problems, shownProblem{p})
			}
			return list
		},
	}
}

type problemList struct {
	Now      time.Time
	Problems []shownProblem
}

type shownProblem struct{ problem.Problem }

// Guide is the address of the guide's section.
func (p shownProblem) Guide() string { return problem.Guide(p.Code) }
