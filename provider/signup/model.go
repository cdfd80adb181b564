package signup

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

type domainModel struct {
	ID     types.String `tfsdk:"id"`
	Domain attr.Domain  `tfsdk:"domain"`

	AdoptExisting types.Bool `tfsdk:"adopt_existing"`
}

func toModel(d api.SignupDomain, adopt types.Bool) domainModel {
	return domainModel{ID: types.StringValue(d.Domain), Domain: attr.NewDomain(d.Domain),
		AdoptExisting: types.BoolValue(adopt.ValueBool())}
}

// The values of on_unmanaged, for domains that scimbridge_signup_domains does not list.
const (
	remove = "remove"
	report = "report"
)

type domainsModel struct {
	ID               types.String `tfsdk:"id"`
	Domains          attr.Domains `tfsdk:"domains"`
	OnUnmanaged      types.String `tfsdk:"on_unmanaged"`
	UnmanagedDomains attr.Domains `tfsdk:"unmanaged_domains"`
}

// refreshed returns m with the account's current domains. With "remove" all belong to the
// resource, so that a plan shows which it would remove; with "report" only those that did
// before.
func (m domainsModel) refreshed(account string, allowed []string) domainsModel {
	m.ID = types.StringValue(account)
	if m.OnUnmanaged.IsNull() { // just imported
		m.OnUnmanaged = types.StringValue(remove)
	}
	spelled, _ := attr.DomainsByName(m.Domains)
	var domains, unmanaged []string
	for _, name := range allowed {
		text, known := spelled[name]
		switch {
		case known:
			domains = append(domains, text)
		case m.OnUnmanaged.ValueString() == report:
			unmanaged = append(unmanaged, name)
		default:
			domains = append(domains, name)
		}
	}
	m.Domains, m.UnmanagedDomains = toSet(domains), toSet(unmanaged)
	return m
}

// A change is the change of the account's list in an apply, computed only from state and
// plan. Domains that were added after the plan are for the next one.
type change struct {
	allow, end []string
	unmanaged  []string // kept in the list and reported
}

// changesTo returns the change from the state to the plan. Known is false while a domain is
// unknown.
//
// Changing "remove" to "report" removes nothing: domains that are no longer listed are
// reported.
func (m domainsModel) changesTo(plan domainsModel) (c change, known bool) {
	desired, known := attr.DomainsByName(plan.Domains)
	own, _ := attr.DomainsByName(m.Domains)
	foreign, _ := attr.DomainsByName(m.UnmanagedDomains)
	for name := range desired {
		if own[name] == "" && foreign[name] == "" {
			c.allow = append(c.allow, name)
		}
	}
	isReported := plan.OnUnmanaged.ValueString() == report
	wasReported := m.OnUnmanaged.ValueString() == report
	for name := range own {
		switch {
		case desired[name] != "":
		case isReported && !wasReported:
			c.unmanaged = append(c.unmanaged, name)
		default:
			c.end = append(c.end, name)
		}
	}
	for name := range foreign {
		switch {
		case desired[name] != "":
		case isReported:
			c.unmanaged = append(c.unmanaged, name)
		default:
			c.end = append(c.end, name)
		}
	}
	slices.Sort(c.allow)
	slices.Sort(c.end)
	slices.Sort(c.unmanaged)
	return c, known
}

// foreign returns the allowed domains that a new resource must not adopt or remove without
// an import.
func (m domainsModel) foreign(allowed []string) []string {
	if m.OnUnmanaged.ValueString() != report {
		return allowed
	}
	desired, _ := attr.DomainsByName(m.Domains)
	return slices.DeleteFunc(slices.Clone(allowed), func(name string) bool { return desired[name] == "" })
}

func toSet(names []string) attr.Domains { return attr.DomainsType().Of(names) }

// importWhole returns the import block for a list that has domains.
func importWhole(account string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_signup_domains.<name>\n  id = %q\n}", account)
}
