package people

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/datasourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/source"
)

// NewGroups is the data source scimbridge_groups.
func NewGroups() datasource.DataSource {
	return source.New(source.DataSource[groupsModel]{
		TypeName: "scimbridge_groups", Schema: groupsSchema, Validators: groupsValidators(), Read: readGroups,
	})
}

type groupsModel struct {
	Filter groupFilter  `tfsdk:"filter"`
	Groups []groupModel `tfsdk:"groups"`
}

type groupFilter struct {
	Name    types.String `tfsdk:"name"`
	Managed types.Bool   `tfsdk:"managed"`
}

type groupModel struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Managed     types.Bool   `tfsdk:"managed"`
	BuiltIn     types.Bool   `tfsdk:"built_in"`
	MemberCount types.Int64  `tfsdk:"member_count"`
}

func groupsValidators() []datasource.ConfigValidator {
	filter := path.MatchRoot("filter")
	return []datasource.ConfigValidator{
		datasourcevalidator.AtLeastOneOf(filter.AtName("name"), filter.AtName("managed")),
	}
}

func groupsSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Groups of the account that match a filter, " +
			"whether the identity provider manages them or not.",
		Attributes: map[string]schema.Attribute{
			"filter": schema.SingleNestedAttribute{
				Required:            true,
				MarkdownDescription: "Conditions that a group must match. At least one is required.",
				Attributes: map[string]schema.Attribute{
					"name": schema.StringAttribute{
						Optional: true, MarkdownDescription: "The whole name, case-insensitive.",
						Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
					},
					"managed": schema.BoolAttribute{
						Optional: true, MarkdownDescription: "Whether the identity provider manages the group.",
					},
				},
			},
			"groups": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The groups, in the order of the account.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The group's id in the account.",
					},
					"name": schema.StringAttribute{Computed: true, MarkdownDescription: "The name."},
					"managed": schema.BoolAttribute{
						Computed: true, MarkdownDescription: "Whether the identity provider manages the group.",
					},
					"built_in": schema.BoolAttribute{
						Computed: true, MarkdownDescription: "Whether the group is built in, and cannot be managed.",
					},
					"member_count": schema.Int64Attribute{
						Computed: true, MarkdownDescription: "The number of members.",
					},
				}},
			},
		},
	}
}

func readGroups(ctx context.Context, c *client.Client, m *groupsModel, diags *diag.Diagnostics) {
	params := api.ListGroupsParams{
		Name: m.Filter.Name.ValueStringPointer(), Managed: m.Filter.Managed.ValueBoolPointer(),
	}
	found, err := readPages(0, func(cursor *string, size int) ([]api.AccountGroup, *string, error) {
		params.Cursor, params.Limit = cursor, &size
		page, err := client.Call[api.AccountGroupPage](c.API.ListGroups(ctx, &params))
		return page.Items, page.NextCursor, err
	})
	if err != nil {
		diags.Append(c.Diagnose("list the groups", err))
		return
	}
	m.Groups = make([]groupModel, len(found))
	for i, one := range found {
		m.Groups[i] = groupModel{
			ID:          types.StringValue(one.Id),
			Name:        types.StringValue(one.Name),
			Managed:     types.BoolValue(one.Managed),
			BuiltIn:     types.BoolValue(one.BuiltIn),
			MemberCount: types.Int64Value(int64(one.MemberCount)),
		}
	}
}
