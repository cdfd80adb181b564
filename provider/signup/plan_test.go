package signup_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/plancheck"
)

// changes expects an attribute that is a set of texts to go from one value to another.
func changes(address, attribute string, before, after []string) plancheck.PlanCheck {
	return &changed{address, attribute, before, after}
}

type changed struct {
	address, attribute string
	before, after      []string
}

func (c *changed) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, planned := range req.Plan.ResourceChanges {
		if planned.Address != c.address {
			continue
		}
		before, after := texts(planned.Change.Before, c.attribute), texts(planned.Change.After, c.attribute)
		if !slices.Equal(before, c.before) || !slices.Equal(after, c.after) {
			resp.Error = fmt.Errorf("%s of %s goes from %q to %q, want from %q to %q",
				c.attribute, c.address, before, after,
				c.before, c.after)
		}
		return
	}
	resp.Error = fmt.Errorf("%s is not in the plan", c.address)
}

func texts(object any, attribute string) []string {
	attributes, _ := object.(map[string]any)
	values, _ := attributes[attribute].([]any)
	if values == nil {
		return nil
	}
	all := []string{}
	for _, value := range values {
		all = append(all, fmt.Sprint(value))
	}
	slices.Sort(all)
	return all
}

// readBody reads a request's body and puts it back.
func readBody(t *testing.T, r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("read the request: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}
