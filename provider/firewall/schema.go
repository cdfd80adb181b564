package firewall

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	source "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

var actions = []string{string(api.Allow), string(api.Report), string(api.Deny)}

// inDocs lists values or names for the documentation.
func inDocs(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

// namesInDocs lists the arguments for the kinds of matches.
func namesInDocs() string {
	names := strings.ReplaceAll(firewall.KindNames("and"), ", ", "`, `")
	return "`" + strings.Replace(names, " and ", "` and `", 1) + "`"
}

// ruleAttributes are the attributes of a rule, single or in a policy.
func ruleAttributes() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"id": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The rule's id. It does not change with the rule.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		"action": schema.StringAttribute{
			Optional: true,
			Computed: true,
			Default:  stringdefault.StaticString(string(api.Allow)),
			MarkdownDescription: "`allow`, `deny`, or `report`, which allows and records. Default `allow`. " +
				"Changes in place.",
			Validators: []validator.String{stringvalidator.OneOf(actions...)},
		},
		"priority": schema.Int64Attribute{
			Optional: true,
			Computed: true,
			MarkdownDescription: "0 to 1000000; lower numbers are evaluated first. Default 100 for `allow`, " +
				"500 for `deny`, 1000 for `report`. With equal numbers: `deny` before `report` before `allow`. " +
				"Changes in place.",
			Validators: []validator.Int64{int64validator.Between(0, firewall.MaxPriority)},
		},
		"description": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(""),
			MarkdownDescription: "A description, for display; at most 500 characters. Changes in place.",
			Validators:          []validator.String{stringvalidator.UTF8LengthAtMost(firewall.MaxDescription)},
		},
	}
	for _, a := range matchAttributes {
		var size validator.Set = setvalidator.SizeAtLeast(1)
		if limit := a.kind.Limit(); limit > 0 {
			size = setvalidator.SizeBetween(1, limit)
		}
		attributes[string(a.kind)] = schema.SetAttribute{
			Optional:            true,
			CustomType:          a.setType,
			MarkdownDescription: a.argument,
			Validators:          slices.Concat([]validator.Set{size}, a.validators),
			PlanModifiers:       a.suppression,
		}
	}
	return attributes
}

// foundAttributes are the attributes of an existing rule.
func foundAttributes() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{
		"id": schema.StringAttribute{
			Computed: true, MarkdownDescription: "The rule's id, by which `scimbridge_firewall_rule` is imported.",
		},
		"action": schema.StringAttribute{
			Computed: true, MarkdownDescription: "The rule's action: `allow`, `report` or `deny`.",
		},
		"priority": schema.Int64Attribute{
			Computed: true, MarkdownDescription: "The rule's priority; lower numbers are evaluated first.",
		},
		"description": schema.StringAttribute{Computed: true, MarkdownDescription: "The rule's description."},
	}
	for _, a := range matchAttributes {
		attributes[string(a.kind)] = schema.SetAttribute{
			Computed: true, CustomType: a.setType, MarkdownDescription: a.found,
		}
	}
	return attributes
}

// readAttributes are the same attributes in a data source.
func readAttributes() map[string]source.Attribute {
	attributes := map[string]source.Attribute{
		"id":     source.StringAttribute{Computed: true, MarkdownDescription: "The rule's id."},
		"action": source.StringAttribute{Computed: true, MarkdownDescription: "`allow`, `report` or `deny`."},
		"priority": source.Int64Attribute{
			Computed: true, MarkdownDescription: "The rule's priority; lower numbers are evaluated first.",
		},
		"description": source.StringAttribute{Computed: true, MarkdownDescription: "The rule's description."},
	}
	for _, a := range matchAttributes {
		attributes[string(a.kind)] = source.SetAttribute{
			Computed: true, CustomType: a.setType, MarkdownDescription: a.found,
		}
	}
	return attributes
}
