//go:build !browser

package stories

import "github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"

// A screen is where a browser shows the status page. `make test-browser` has one.
type screen struct{}

func (w *world) seeProblem(found problem.Problem) problem.Problem { return found }

func (w *world) seeHealed() {}
