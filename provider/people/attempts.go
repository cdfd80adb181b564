package people

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
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

const (
	defaultAttempts = 100
	maxAttempts     = 10_000
)

// NewSignInAttempts is the data source scimbridge_sign_in_attempts.
func NewSignInAttempts() datasource.DataSource {
	return source.New(source.DataSource[attemptsModel]{
		TypeName: "scimbridge_sign_in_attempts", Schema: attemptsSchema, Read: readAttempts,
	})
}

type attemptsModel struct {
	Since    types.String   `tfsdk:"since"`
	Limit    types.Int64    `tfsdk:"limit"`
	Attempts []attemptModel `tfsdk:"attempts"`
}

type attemptModel struct {
	FirstTime types.String `tfsdk:"first_time"`
	LastTime  types.String `tfsdk:"last_time"`
	Count     types.Int64  `tfsdk:"count"`
	Address   types.String `tfsdk:"address"`
	Email     types.String `tfsdk:"email"`
	Instance  types.String `tfsdk:"instance"`
	Result    types.String `tfsdk:"result"`
	RuleID    types.String `tfsdk:"rule_id"`
}

func attemptsSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Sign-in attempts, with address and result. Use it in `check` blocks, " +
			"or to see which rule refused a bridge.\n\n" +
			"The account keeps attempts for 60 days, and merges those of one session, address, rule and hour.",
		Attributes: map[string]schema.Attribute{
			"since": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Only attempts since this time (RFC 3339), " +
					"for instance `timeadd(plantimestamp(), \"-24h\")`. " +
					"With `timestamp()` the data source would be read only during the apply.",
				Validators: []validator.String{isTime{}},
			},
			"limit": schema.Int64Attribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("The maximum number of attempts, newest first; default %d, "+
					"at most %d.",
					defaultAttempts, maxAttempts),
				Validators: []validator.Int64{int64validator.Between(1, maxAttempts)},
			},
			"attempts": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The attempts, newest first.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"first_time": schema.StringAttribute{
						Computed: true, MarkdownDescription: "Time of the first merged attempt, in UTC.",
					},
					"last_time": schema.StringAttribute{
						Computed: true, MarkdownDescription: "Time of the last merged attempt, in UTC.",
					},
					"count": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of merged attempts."},
					"address": schema.StringAttribute{
						Computed: true, MarkdownDescription: "IP address, as the account saw it.",
					},
					"email": schema.StringAttribute{
						Computed:            true,
						MarkdownDescription: "The e-mail address that was used; null if none was given.",
					},
					"instance": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The bridge's instance id; null for other clients.",
					},
					"result": schema.StringAttribute{Computed: true,
						MarkdownDescription: "`ok`, `reported` (by a firewall rule " +
							"with that action), or the code of the refusal, for instance `firewall_blocked`."},
					"rule_id": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The firewall rule that decided, or null.",
					},
				}},
			},
		},
	}
}

func readAttempts(ctx context.Context, c *client.Client, m *attemptsModel, diags *diag.Diagnostics) {
	var params api.ListSignInAttemptsParams
	if !m.Since.IsNull() {
		since, err := time.Parse(time.RFC3339, m.Since.ValueString())
		if err != nil {
			diags.AddAttributeError(path.Root("since"), "Invalid time", notATime(m.Since.ValueString()))
			return
		}
		params.Since = &since
	}
	limit := defaultAttempts
	if !m.Limit.IsNull() {
		limit = int(m.Limit.ValueInt64())
	}
	found, err := readPages(limit, func(cursor *string, size int) ([]api.SignInAttempt, *string, error) {
		params.Cursor, params.Limit = cursor, &size
		page, err := client.Call[api.SignInAttemptPage](c.API.ListSignInAttempts(ctx, &params))
		return page.Items, page.NextCursor, err
	})
	if err != nil {
		diags.Append(c.Diagnose("list the sign-in attempts", err))
		return
	}
	m.Attempts = make([]attemptModel, len(found))
	for i, one := range found {
		m.Attempts[i] = attemptModel{
			FirstTime: types.StringValue(one.FirstTime.UTC().Format(time.RFC3339)),
			LastTime:  types.StringValue(one.LastTime.UTC().Format(time.RFC3339)),
			Count:     types.Int64Value(int64(one.Count)),
			Address:   types.StringValue(one.Address),
			Email:     types.StringPointerValue(one.Email),
			Instance:  types.StringPointerValue(one.Instance),
			Result:    types.StringValue(one.Result),
			RuleID:    types.StringPointerValue(one.RuleId),
		}
	}
}

// isTime refuses a text that is not an RFC 3339 time, in the plan.
type isTime struct{}

func (isTime) Description(context.Context) string               { return "a time as in RFC 3339" }
func (t isTime) MarkdownDescription(ctx context.Context) string { return t.Description(ctx) }

func (isTime) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := time.Parse(time.RFC3339, req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid time", notATime(req.ConfigValue.ValueString()))
	}
}

func notATime(text string) string {
	return fmt.Sprintf("%q is not an RFC 3339 time; write for instance \"2026-11-23T00:00:00Z\", "+
		"or timeadd(plantimestamp(), \"-24h\").", text)
}
