package attr

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
)

// OnlyAtCreation is for an argument that says how an object comes about: once
// it exists, another value is no change.
func OnlyAtCreation() planmodifier.Bool { return onlyAtCreation{} }

type onlyAtCreation struct{}

func (onlyAtCreation) Description(context.Context) string {
	return "once the object exists, another value is no change"
}

func (m onlyAtCreation) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

func (onlyAtCreation) PlanModifyBool(_ context.Context, req planmodifier.BoolRequest, resp *planmodifier.BoolResponse) {
	if !req.State.Raw.IsNull() && !req.StateValue.IsNull() {
		resp.PlanValue = req.StateValue
	}
}
