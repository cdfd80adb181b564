package signup

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

type domainModel struct {
	ID     types.String `tfsdk:"id"`
	Domain attr.Domain  `tfsdk:"domain"`
}

func modelOf(d api.SignupDomain) domainModel {
	return domainModel{ID: types.StringValue(d.Domain), Domain: attr.NewDomain(d.Domain)}
}

// importBlock is what to paste when the domain is there already.
func importBlock(domain string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_signup_domain.<name>\n  id = %q\n}", domain)
}
