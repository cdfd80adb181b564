package signup

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// owners is who manages what in one run. Terraform plans resources in any
// order and some at a time: each says what it manages and learns, in the same
// step, what stands against it, so that the second of two sees the first.
//
// What another configuration manages stays unseen.
type owners struct {
	mu      sync.Mutex
	whole   string          // the mark of the scimbridge_signup_domains that was planned first
	removes bool            // it removes what it does not list
	listed  map[string]bool // by it
	managed map[string]bool // by a scimbridge_signup_domain each
	leaving map[string]bool // with a scimbridge_signup_domain that is destroyed
}

// ownWhole refuses a second resource for the whole list, and single ones that
// this one would undo.
func (o *owners) ownWhole(mark string, removes bool, listed []string, diags *diag.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := path.Root("domains")
	if o.whole != "" && o.whole != mark {
		diags.AddAttributeError(at, "Two owners of the sign-up domains",
			"Another scimbridge_signup_domains of this configuration manages the list of the same account. Each would undo what the other does: keep one.")
	}
	o.whole, o.removes, o.listed = mark, removes, make(map[string]bool)
	var twice, lost []string
	for _, name := range listed {
		o.listed[name] = true
		if o.managed[name] {
			twice = append(twice, name)
		}
		if o.leaving[name] {
			lost = append(lost, name)
		}
	}
	switch {
	case removes && len(o.managed) > 0:
		refuseBoth(at, diags)
	case len(twice) > 0:
		refuseTwice(at, twice, diags)
	case len(lost) > 0:
		refuseLoss(at, lost, diags)
	}
}

// ownOne refuses to manage a domain that the whole list manages, or would remove.
func (o *owners) ownOne(name string, diags *diag.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := path.Root("domain")
	if o.managed == nil {
		o.managed = make(map[string]bool)
	}
	o.managed[name] = true
	switch {
	case o.removes:
		refuseBoth(at, diags)
	case o.listed[name]:
		refuseTwice(at, []string{name}, diags)
	}
}

// leave refuses to destroy a domain that the whole list is to keep.
func (o *owners) leave(name string, diags *diag.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving == nil {
		o.leaving = make(map[string]bool)
	}
	o.leaving[name] = true
	if o.listed[name] {
		refuseLoss(path.Root("domain"), []string{name}, diags)
	}
}

func refuseBoth(at path.Path, diags *diag.Diagnostics) {
	diags.AddAttributeError(at, "Two owners of the sign-up domains",
		"A scimbridge_signup_domains with on_unmanaged = \"remove\" manages the whole list, and a scimbridge_signup_domain of this configuration "+
			"manages a domain on it. Each would undo what the other does. List the domain in scimbridge_signup_domains and forget the single one "+
			"with a removed block, or set on_unmanaged = \"report\".")
}

func refuseTwice(at path.Path, names []string, diags *diag.Diagnostics) {
	diags.AddAttributeError(at, "Two owners of a sign-up domain", fmt.Sprintf(
		"Managed by a scimbridge_signup_domain and listed in scimbridge_signup_domains: %s. Keep one of the two.", listing(names)))
}

func refuseLoss(at path.Path, names []string, diags *diag.Diagnostics) {
	diags.AddAttributeError(at, "A listed sign-up domain would be removed", fmt.Sprintf(
		"Destroying a scimbridge_signup_domain takes its domain off the account's list, and scimbridge_signup_domains is to keep it: %s. "+
			"To hand it over, forget the single resource:\n\nremoved {\n  from = scimbridge_signup_domain.<name>\n  lifecycle {\n    destroy = false\n  }\n}",
		listing(names)))
}

func listing(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
