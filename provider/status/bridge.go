// Package status reads the state of a running bridge: scimbridge_bridge_status.
//
// It reads from outside, as a monitor does. Package deployment manages the bridges that
// Terraform deploys.
package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/source"
)

const maxAnswer = 1 << 20

// A reader reads from a bridge, and from the account about it.
type reader struct{ client *client.Client }

// NewBridge is the data source scimbridge_bridge_status.
func NewBridge() datasource.DataSource {
	return source.New(source.DataSource[bridgeModel]{
		TypeName: "scimbridge_bridge_status", Schema: bridgeSchema, Read: readBridge,
	})
}

type bridgeModel struct {
	URL         types.String  `tfsdk:"url"`
	State       types.String  `tfsdk:"state"`
	Revision    types.String  `tfsdk:"revision"`
	Problems    types.List    `tfsdk:"problems"`
	Source      types.String  `tfsdk:"source"`
	Reason      types.String  `tfsdk:"reason"`
	LastContact types.String  `tfsdk:"last_contact"`
	LastRefusal *refusalModel `tfsdk:"last_refusal"`
	Overlap     *overlapModel `tfsdk:"overlap"`
}

// overlapModel is set while two bearer tokens are valid.
type overlapModel struct {
	Until        types.String `tfsdk:"until"`
	LastUsed     types.String `tfsdk:"old_token_last_used"`
	LastUsedFrom types.String `tfsdk:"old_token_last_used_from"`
}

type refusalModel struct {
	Time     types.String `tfsdk:"time"`
	Code     types.String `tfsdk:"code"`
	Address  types.String `tfsdk:"address"`
	RuleID   types.String `tfsdk:"rule_id"`
	Instance types.String `tfsdk:"instance"`
}

func bridgeSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "The state of a bridge, as seen from the machine that runs Terraform; " +
			"use it in `check` blocks.\n\n" +
			"A bridge that does not answer is not an error: its `state` is `unreachable`, " +
			"so that a plan that repairs it does not fail.",
		Attributes: map[string]schema.Attribute{
			"url": schema.StringAttribute{
				Required: true, MarkdownDescription: "The bridge's address, for instance `https://scim.example.com`.",
			},
			"state": schema.StringAttribute{
				Computed: true, MarkdownDescription: "The bridge's state: `healthy`, `degraded`, " +
					"`sealed` or `unhealthy`; `unreachable` if it does not answer.",
			},
			"revision": schema.StringAttribute{Computed: true, MarkdownDescription: "The running revision."},
			"problems": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "Codes of the problems, in the bridge's order; " +
					"null if neither the bridge nor the account could be read.",
			},
			"source": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Where the problems come from: `bridge` or `account`.",
			},
			"reason": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Why the bridge is unreachable, or null.",
			},
			"last_contact": schema.StringAttribute{Computed: true,
				MarkdownDescription: "Last contact of a bridge of this revision with the account, RFC 3339; " +
					"of any revision if there is none of this one or the bridge is unreachable. " +
					"Null if there was none."},
			"overlap": schema.SingleNestedAttribute{
				Computed: true,
				MarkdownDescription: "The overlap of a rotation, during which the old bearer token is valid too, " +
					"from `/health`. Null if there is no overlap, or without the monitoring token.",
				Attributes: map[string]schema.Attribute{
					"until": schema.StringAttribute{
						Computed: true, MarkdownDescription: "When the old token expires, RFC 3339.",
					},
					"old_token_last_used": schema.StringAttribute{
						Computed: true, MarkdownDescription: "When the old token was last accepted since this bridge " +
							"started, RFC 3339; null if never.",
					},
					"old_token_last_used_from": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The client's address at that time.",
					},
				},
			},
			"last_refusal": schema.SingleNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The account's last refusal of the bridge, or null.",
				Attributes: map[string]schema.Attribute{
					"time": schema.StringAttribute{Computed: true, MarkdownDescription: "When, RFC 3339."},
					"code": schema.StringAttribute{Computed: true,
						MarkdownDescription: "`sign_in_failed`, `credentials_expired`, " +
							"`credentials_changed`, `firewall_blocked`, " +
							"`two_factor_enforced` or `provisioning_inactive`."},
					"address": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The bridge's IP address as the account saw it.",
					},
					"rule_id": schema.StringAttribute{
						Computed:            true,
						MarkdownDescription: "The firewall rule that decided; null if the default action did.",
					},
					"instance": schema.StringAttribute{
						Computed: true, MarkdownDescription: "The bridge's instance id, if known.",
					},
				},
			},
		},
	}
}

func readBridge(ctx context.Context, c *client.Client, m *bridgeModel, diags *diag.Diagnostics) {
	base, err := url.Parse(m.URL.ValueString())
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		diags.AddAttributeError(path.Root("url"), "Invalid URL", "It must look like https://scim.example.com.")
		return
	}
	m.Revision, m.Source, m.Reason = types.StringNull(), types.StringNull(), types.StringNull()
	m.Problems = types.ListNull(types.StringType)

	d := reader{c}
	var seen answer
	if err := d.get(ctx, base.JoinPath("ready"), "", &seen); err != nil {
		m.State, m.Reason = types.StringValue("unreachable"), types.StringValue(err.Error())
		d.askAccount(ctx, nil, m, diags)
		return
	}
	codes := []string(nil)
	if token := c.MonitoringToken; token != "" {
		if err := d.get(ctx, base.JoinPath("health"), token, &seen); err != nil {
			diags.AddWarning("Cannot read the bridge's health", fmt.Sprintf(
				"%v. The provider's monitoring_token must be the bridge's monitoring token.", err))
		} else {
			m.Source, codes = types.StringValue("bridge"), seen.codes()
			m.Overlap = fromOverlap(seen.Overlap)
		}
	}
	if told := d.askAccount(ctx, &seen.Revision, m, diags); told != nil && m.Source.IsNull() {
		m.Source, codes = types.StringValue("account"), told.Problems
	}
	m.State, m.Revision = types.StringValue(seen.State), types.StringValue(seen.Revision)
	if !m.Source.IsNull() {
		problems, ds := types.ListValueFrom(ctx, types.StringType, codes)
		diags.Append(ds...)
		m.Problems = problems
	}
}

// answer has the common fields of /ready and /health, and the problems of /health.
type answer struct {
	State    string            `json:"state"`
	Revision string            `json:"revision"`
	Problems []problem.Problem `json:"problems"`
	Overlap  *health.Overlap   `json:"overlap"`
}

func fromOverlap(o *health.Overlap) *overlapModel {
	if o == nil {
		return nil
	}
	m := &overlapModel{Until: rfc3339(&o.Until), LastUsed: rfc3339(o.LastUsed), LastUsedFrom: types.StringNull()}
	if o.LastUsedFrom != "" {
		m.LastUsedFrom = types.StringValue(o.LastUsedFrom)
	}
	return m
}

func (h answer) codes() []string {
	codes := make([]string, len(h.Problems))
	for i, p := range h.Problems {
		codes[i] = string(p.Code)
	}
	return codes
}

// get reads a status document. 503 has one too.
func (d reader) get(ctx context.Context, from *url.URL, token string, to *answer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	began := time.Now()
	resp, err := d.client.HTTP.Do(req)
	if err != nil {
		return d.client.TimedOut(ctx, err, began)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("%s answered %s", from, resp.Status)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("the answer from %s is not a bridge's", from)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(to); err != nil {
		return fmt.Errorf("%s: decoding the answer: %w", from, d.client.TimedOut(ctx, err, began))
	}
	if to.State == "" { // JSON, but not from a bridge
		return fmt.Errorf("the answer from %s is not a bridge's", from)
	}
	return nil
}

// askAccount adds the account's data about the bridge with that revision, which it
// returns; about any bridge if there is none or the revision is not known. An unreachable
// account is not an error.
func (d reader) askAccount(ctx context.Context, revision *string, m *bridgeModel, diags *diag.Diagnostics,
) (told *api.Bridge) {
	m.LastContact = types.StringNull()
	if !d.client.Known() {
		return nil
	}
	var err error
	if revision != nil {
		if told, err = d.toldToAccount(ctx, *revision); told != nil {
			m.LastContact, m.LastRefusal = rfc3339(&told.LastContact), fromRefusal(told.LastRefusal)
			return told
		}
	}
	if err == nil {
		var p api.Provisioning
		if p, err = client.Call[api.Provisioning](d.client.API.GetProvisioning(ctx)); err == nil {
			m.LastContact, m.LastRefusal = rfc3339(p.LastContact), fromRefusal(p.LastRefusal)
			return nil
		}
	}
	failed := d.client.Diagnose("list the account's bridges", err)
	diags.AddWarning(failed.Summary(), failed.Detail())
	return nil
}

func rfc3339(at *time.Time) types.String {
	if at == nil {
		return types.StringNull()
	}
	return types.StringValue(at.UTC().Format(time.RFC3339))
}

func fromRefusal(r *api.Refusal) *refusalModel {
	if r == nil {
		return nil
	}
	return &refusalModel{
		Time:     rfc3339(&r.Time),
		Code:     types.StringValue(string(r.Code)),
		Address:  types.StringValue(r.Address),
		RuleID:   types.StringPointerValue(r.RuleId),
		Instance: types.StringPointerValue(r.Instance),
	}
}

// toldToAccount returns the bridge that last reported the revision to the account; nil if
// none did. The list begins with the newest contact.
func (d reader) toldToAccount(ctx context.Context, revision string) (*api.Bridge, error) {
	page, err := client.Call[api.BridgePage](d.client.API.ListBridges(ctx, nil))
	if err != nil {
		return nil, err
	}
	for _, b := range page.Items {
		if b.Revision == revision {
			return &b, nil
		}
	}
	return nil, nil
}
