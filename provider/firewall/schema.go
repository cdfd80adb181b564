package firewall

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	source "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

var actions = []string{string(api.Allow), string(api.Report), string(api.Deny)}

// ruleAttributes are what people say of a rule, alone or within a policy.
func ruleAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The rule's id. It stays when anything about the rule changes.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		"action": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(string(api.Allow)),
			MarkdownDescription: "`allow`, `deny`, or `report`, which lets pass and records. Default `allow`. Changes in place.",
			Validators:          []validator.String{stringvalidator.OneOf(actions...)},
		},
		"ip_ranges": schema.SetAttribute{
			Optional:   true,
			CustomType: attr.CIDRsType(),
			MarkdownDescription: "IP addresses, or networks in CIDR notation without host bits. Exactly one of `ip_ranges`, " +
				"`countries`, `continents` and `anonymous_ips` must be given. Changes in place; another spelling is no change.",
			Validators:    []validator.Set{setvalidator.SizeBetween(1, firewall.MaxRanges), attr.AreRanges()},
			PlanModifiers: []planmodifier.Set{attr.KeepRangeSpelling()},
		},
		"countries": schema.SetAttribute{
			Optional:   true,
			CustomType: attr.CodesType(),
			MarkdownDescription: "Countries, as ISO 3166-1 alpha-2 codes in either case. An address whose country is unknown matches none. " +
				"The account needs an IP database for them. Changes in place.",
			Validators:    []validator.Set{setvalidator.SizeAtLeast(1), attr.AreCountries()},
			PlanModifiers: []planmodifier.Set{attr.KeepCodeSpelling()},
		},
		"continents": schema.SetAttribute{
			Optional:   true,
			CustomType: attr.CodesType(),
			MarkdownDescription: "Continents: `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`, in either case. The account needs an IP database " +
				"for them. Changes in place.",
			Validators:    []validator.Set{setvalidator.SizeAtLeast(1), attr.AreContinents()},
			PlanModifiers: []planmodifier.Set{attr.KeepCodeSpelling()},
		},
		"anonymous_ips": schema.SetAttribute{
			Optional:    true,
			ElementType: types.StringType,
			MarkdownDescription: "Kinds of anonymous addresses: `cloud_provider`, `vpn`, `tor`, `public_proxy`. The account needs an IP database " +
				"for them. Changes in place.",
			Validators: []validator.Set{setvalidator.SizeAtLeast(1),
				setvalidator.ValueStringsAre(stringvalidator.OneOf(firewall.CloudProvider, firewall.VPN, firewall.Tor, firewall.PublicProxy))},
		},
		"priority": schema.Int64Attribute{
			Optional: true,
			Computed: true,
			MarkdownDescription: "0 to 1000000; a lower number is tried earlier. Default 100 for `allow`, 500 for `deny`, 1000 for `report`. " +
				"Equal numbers: `deny` before `report` before `allow`. Changes in place.",
			Validators: []validator.Int64{int64validator.Between(0, firewall.MaxPriority)},
		},
		"description": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(""),
			MarkdownDescription: "For people; at most 500 characters. Changes in place.",
			Validators:          []validator.String{stringvalidator.UTF8LengthAtMost(firewall.MaxDescription)},
		},
	}
}

// foundAttributes are a rule as the account has it.
func foundAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":            schema.StringAttribute{Computed: true, MarkdownDescription: "The rule's id, by which `scimbridge_firewall_rule` is imported."},
		"action":        schema.StringAttribute{Computed: true, MarkdownDescription: "What it does."},
		"ip_ranges":     schema.SetAttribute{Computed: true, CustomType: attr.CIDRsType(), MarkdownDescription: "IP ranges that it matches."},
		"countries":     schema.SetAttribute{Computed: true, CustomType: attr.CodesType(), MarkdownDescription: "Countries that it matches."},
		"continents":    schema.SetAttribute{Computed: true, CustomType: attr.CodesType(), MarkdownDescription: "Continents that it matches."},
		"anonymous_ips": schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Kinds of anonymous addresses that it matches."},
		"priority":      schema.Int64Attribute{Computed: true, MarkdownDescription: "Its place; a lower number is tried earlier."},
		"description":   schema.StringAttribute{Computed: true, MarkdownDescription: "What people say of it."},
	}
}

// readAttributes are the same in a data source.
func readAttributes() map[string]source.Attribute {
	return map[string]source.Attribute{
		"id":            source.StringAttribute{Computed: true, MarkdownDescription: "The rule's id."},
		"action":        source.StringAttribute{Computed: true, MarkdownDescription: "`allow`, `report` or `deny`."},
		"ip_ranges":     source.SetAttribute{Computed: true, CustomType: attr.CIDRsType(), MarkdownDescription: "IP ranges that it matches."},
		"countries":     source.SetAttribute{Computed: true, CustomType: attr.CodesType(), MarkdownDescription: "Countries that it matches."},
		"continents":    source.SetAttribute{Computed: true, CustomType: attr.CodesType(), MarkdownDescription: "Continents that it matches."},
		"anonymous_ips": source.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Kinds of anonymous addresses that it matches."},
		"priority":      source.Int64Attribute{Computed: true, MarkdownDescription: "Its place; a lower number is tried earlier."},
		"description":   source.StringAttribute{Computed: true, MarkdownDescription: "What people say of it."},
	}
}
