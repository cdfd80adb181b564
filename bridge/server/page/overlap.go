package page

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

// Overlap shows that two bearer tokens are valid.
func Overlap() Section {
	return Section{
		Name: "overlap", Unconfirmed: true,
		Data: func(v *Visit) any {
			if v.Health.Overlap == nil {
				return nil
			}
			return overlap{Overlap: *v.Health.Overlap, Now: v.Now}
		},
	}
}

type overlap struct {
	health.Overlap
	Now time.Time
}
