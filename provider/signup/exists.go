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

// existing is what this run was refused to make, by name.
type existing struct{ client.Existing }

// handover is which domains go from one resource to another, by name.
type handover struct{ client.Handover }

// singles are the domains that resources of one run manage singly.
type singles struct{ client.Singles }

const twiceTitle = "One sign-up domain twice"

func twice(name string) string {
	return fmt.Sprintf("Another scimbridge_signup_domain of this configuration has %q, too: keep one of the two.", name)
}

const (
	existsTitle = "Domain is allowed already"
	domainKind  = "scimbridge_signup_domain"
)

// warnExisting warns of what is allowed already. That is no error: it may be
// another resource's that is destroyed in this run, and Terraform plans in any
// order.
func (r *domainResource) warnExisting(ctx context.Context, name string, adopts bool, diags *diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() {
		return
	}
	all, err := r.client.SignupDomains(ctx)
	if _, exists := all[name]; err != nil || !exists || client.PerRun[claims](r.client).InState(name) {
		return // what is wrong with the account is said elsewhere
	}
	if adopts {
		diags.AddAttributeWarning(path.Root("domain"), "A sign-up domain is taken over", fmt.Sprintf(
			"%q is allowed already. With adopt_existing it is this resource's after the apply, and destroyed with it.", name))
		return
	}
	diags.AddAttributeWarning(path.Root("domain"), existsTitle, fmt.Sprintf(
		"%q is on the account's list, and not in this state. The apply will be refused, "+
			"with the import blocks of all such domains; adopt_existing = true takes over what is there. "+
			"If it is the domain of a resource that has another name now, write a moved block instead: "+
			"nothing is made or destroyed then.", name))
}

// exists is the error for a domain that is allowed already.
func (r *domainResource) exists(ctx context.Context, name string) string {
	one := fmt.Sprintf("%q is on the account's list, and not in this state.", name)
	return client.PerRun[existing](r.client).Describe(domainKind, name, one, "domains", func() map[string]string {
		return r.addresses(ctx)
	}) +
		"If it is the domain of a resource that has another name now, write a moved block instead: " +
		"nothing is made or destroyed then. " +
		client.ReplacedBeforeDestroyed
}

// addresses are those of the domains in the configuration that are allowed
// already, by name, as far as the configuration tells.
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
