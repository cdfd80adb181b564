package signup

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/address"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// existing records the domains that the account refused to create in this run, by name.
type existing struct{ client.Existing }

// handover records the domains that move from one resource to another, by name.
type handover struct{ client.Handover }

// singles are the domains that single resources of a run manage.
type singles struct{ client.Singles }

const twiceTitle = "Duplicate sign-up domain"

func twice(name string) string {
	return fmt.Sprintf("Another scimbridge_signup_domain of this configuration has %q too: "+
		"remove one of the two.", name)
}

const (
	existsTitle = "Domain is already allowed"
	domainKind  = "scimbridge_signup_domain"
)

// warnExisting warns of a domain that is already allowed. This is not an error: it may
// belong to a resource that this run destroys, and Terraform plans in any order.
func (r *domainResource) warnExisting(ctx context.Context, name string, adopts bool, diags *diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() {
		return
	}
	all, err := r.client.SignupDomains(ctx)
	if _, exists := all[name]; err != nil || !exists || client.PerRun[claims](r.client).InState(name) {
		return // errors of the account are reported elsewhere
	}
	if adopts {
		diags.AddAttributeWarning(path.Root("domain"), "Existing sign-up domain will be adopted", fmt.Sprintf(
			"%q is already allowed. With adopt_existing this resource manages it after the apply, "+
				"and removes it when it is destroyed.", name))
		return
	}
	diags.AddAttributeWarning(path.Root("domain"), existsTitle, fmt.Sprintf(
		"%q is in the account's list but not in this state. The apply will be refused, "+
			"with the import blocks of all such domains; adopt_existing = true adopts them instead. "+
			"If the domain belongs to a resource that you renamed, write a moved block instead: "+
			"then nothing is created or destroyed.", name))
}

// exists returns the error text for a domain that is already allowed.
func (r *domainResource) exists(ctx context.Context, name string) string {
	one := fmt.Sprintf("%q is in the account's list but not in this state.", name)
	return client.PerRun[existing](r.client).Describe(domainKind, name, one, "domains", func() map[string]string {
		return r.addresses(ctx)
	}) +
		"If the domain belongs to a resource that you renamed, write a moved block instead: " +
		"then nothing is created or destroyed. " +
		client.ReplacedBeforeDestroyed
}

// addresses returns the resource addresses of the configured domains that are already
// allowed, by name, as far as the configuration shows them.
func (r *domainResource) addresses(ctx context.Context) map[string]string {
	allowed, err := r.client.SignupDomains(ctx)
	if err != nil {
		return nil
	}
	found := make(map[string]string)
	for _, instance := range address.Find(".", domainKind) {
		var text string
		value, known := instance.Arguments["domain"]
		if !known || value.IsNull() || gocty.FromCtyValue(value, &text) != nil {
			continue
		}
		if name, err := attr.ParseDomain(text); err == nil {
			if _, there := allowed[name]; there {
				found[name] = instance.Address
			}
		}
	}
	return found
}
