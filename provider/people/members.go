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

// NewMembers is the data source scimbridge_members.
func NewMembers() datasource.DataSource {
	return source.New(source.DataSource[membersModel]{
		TypeName: "scimbridge_members", Schema: membersSchema, Validators: membersValidators(), Read: readMembers,
	})
}

type membersModel struct {
	Filter  memberFilter  `tfsdk:"filter"`
	Members []memberModel `tfsdk:"members"`
}

type memberFilter struct {
	Address types.String `tfsdk:"address"`
	Managed types.Bool   `tfsdk:"managed"`
	State   types.String `tfsdk:"state"`
}

type memberModel struct {
	ID             types.String `tfsdk:"id"`
	Address        types.String `tfsdk:"address"`
	PendingAddress types.String `tfsdk:"pending_address"`
	Name           types.String `tfsdk:"name"`
	Role           types.String `tfsdk:"role"`
	State          types.String `tfsdk:"state"`
	Suspended      types.Bool   `tfsdk:"suspended"`
	Managed        types.Bool   `tfsdk:"managed"`
	PersonID       types.String `tfsdk:"person_id"`
	UserName       types.String `tfsdk:"user_name"`
}

func membersValidators() []datasource.ConfigValidator {
	filter := path.MatchRoot("filter")
	return []datasource.ConfigValidator{
		datasourcevalidator.AtLeastOneOf(filter.AtName("address"), filter.AtName("managed"), filter.AtName("state")),
	}
}

func membersSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Members of the account that match a filter, " +
			"whether the identity provider manages them or not.\n\n" +
			"The filter is required, because the result is stored in the state with names and addresses of people.",
		Attributes: map[string]schema.Attribute{
			"filter": schema.SingleNestedAttribute{
				Required:            true,
				MarkdownDescription: "Conditions that a member must match. At least one is required.",
				Attributes: map[string]schema.Attribute{
					"address": schema.StringAttribute{
						Optional: true, MarkdownDescription: "The whole sign-in address, case-insensitive.",
						Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
					},
					"managed": schema.BoolAttribute{
						Optional: true, MarkdownDescription: "Whether the identity provider manages the member.",
					},
					"state": schema.StringAttribute{
						Optional: true, MarkdownDescription: "`invited` (has not signed up), `pending` (signed up, " +
							"waits for confirmation) or `active`.",
						Validators: []validator.String{
							stringvalidator.OneOf(string(api.MemberStateInvited), string(api.MemberStatePending),
								string(api.MemberStateActive)),
						},
					},
				},
			},
			"members": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The members, in the order of the account.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The member's id in the account.",
					},
					"address": schema.StringAttribute{Computed: true, MarkdownDescription: "The sign-in address."},
					"pending_address": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The new address while it is not confirmed, or null.",
					},
					"name": schema.StringAttribute{Computed: true, MarkdownDescription: "The name."},
					"role": schema.StringAttribute{
						Computed:            true,
						MarkdownDescription: "`member`, `administrator`, `owner` or `provision_manager`.",
					},
					"state": schema.StringAttribute{
						Computed: true, MarkdownDescription: "`invited`, `pending` or `active`.",
					},
					"suspended": schema.BoolAttribute{
						Computed: true, MarkdownDescription: "Whether the member is suspended.",
					},
					"managed": schema.BoolAttribute{
						Computed: true, MarkdownDescription: "Whether the identity provider manages the member.",
					},
					"person_id": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The SCIM id while managed, or null.",
					},
					"user_name": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The SCIM `userName` while managed, or null.",
					},
				}},
			},
		},
	}
}

func readMembers(ctx context.Context, c *client.Client, m *membersModel, diags *diag.Diagnostics) {
	params := api.ListMembersParams{
		Address: m.Filter.Address.ValueStringPointer(),
		Managed: m.Filter.Managed.ValueBoolPointer(),
	}
	if !m.Filter.State.IsNull() {
		params.State = new(api.MemberState(m.Filter.State.ValueString()))
	}
	found, err := readPages(0, func(cursor *string, size int) ([]api.Member, *string, error) {
		params.Cursor, params.Limit = cursor, &size
		page, err := client.Call[api.MemberPage](c.API.ListMembers(ctx, &params))
		return page.Items, page.NextCursor, err
	})
	if err != nil {
		diags.Append(c.Diagnose("list the members", err))
		return
	}
	m.Members = make([]memberModel, len(found))
	for i, one := range found {
		m.Members[i] = memberModel{
			ID:             types.StringValue(one.Id),
			Address:        types.StringValue(one.Address),
			PendingAddress: types.StringPointerValue(one.PendingAddress),
			Name:           types.StringValue(one.Name),
			Role:           types.StringValue(string(one.Role)),
			State:          types.StringValue(string(one.State)),
			Suspended:      types.BoolValue(one.Suspended),
			Managed:        types.BoolValue(one.Managed),
			PersonID:       types.StringPointerValue(one.PersonId),
			UserName:       types.StringPointerValue(one.UserName),
		}
	}
}
