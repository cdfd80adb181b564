package signup

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

func TestAMailProvidersDomainIsAWarning(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		domains []string
		named   string // empty: silence
	}{
		{"one among others is named alone", []string{"example.com", "gmail.com"}, "under gmail.com and sign up"},
		{"all are named", []string{"outlook.com", "gmail.com"}, "under gmail.com, outlook.com and sign up"},
		{"a company's own is none", []string{"example.com"}, ""},
		{"a sub-domain is an entry of its own", []string{"team.gmail.com"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var diags diag.Diagnostics
			warnPublicMail(path.Root("domains"), row.domains, &diags)
			if row.named == "" {
				if len(diags) > 0 {
					t.Errorf("said %v", diags)
				}
				return
			}
			if diags.WarningsCount() != 1 || !strings.Contains(diags[0].Detail(), row.named) {
				t.Errorf("said %v, want %q", diags, row.named)
			}
		})
	}
}

// A spelling that ParseDomain would change is never found.
func TestTheTableOfMailProvidersIsInTheSpellingOfTheWire(t *testing.T) {
	t.Parallel()
	for name := range publicMail {
		if parsed, err := attr.ParseDomain(name); err != nil || parsed != name {
			t.Errorf("%q is spelt %q, %v", name, parsed, err)
		}
	}
}
