# An account that was clicked together, brought under Terraform without a
# change to it. What is written here and in the account becomes managed; what
# is in the account alone is left as it is, and reported.
#
#   export SCIMBRIDGE_ACCOUNT_TOKEN=...     # from `scim-bridge account token create`
#   terraform plan                          # imports, and what is not written here yet
#   terraform apply

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
  }
}

provider "scimbridge" {
  account_url = var.account_url
}

data "scimbridge_caller" "this" {}

# The policy and the list of domains have the account's own id.
import {
  to = scimbridge_firewall_policy.this
  id = data.scimbridge_caller.this.account_id
}

import {
  to = scimbridge_signup_domains.company
  id = data.scimbridge_caller.this.account_id
}

resource "scimbridge_firewall_policy" "this" {
  default_action = var.default_action
  rules          = var.firewall_rules
  on_unmanaged   = "report"
}

resource "scimbridge_signup_domains" "company" {
  domains      = var.signup_domains
  on_unmanaged = "report"
}

# Once these hold, all that is there is written here, and on_unmanaged = "remove"
# lets the plan show whatever is added by hand.
check "all_is_written_down" {
  assert {
    condition     = length(scimbridge_firewall_policy.this.unmanaged_rules) == 0
    error_message = "Rules that are not written here yet: ${jsonencode(scimbridge_firewall_policy.this.unmanaged_rules)}"
  }

  assert {
    condition     = length(scimbridge_signup_domains.company.unmanaged_domains) == 0
    error_message = "Domains that are not written here yet: ${join(", ", scimbridge_signup_domains.company.unmanaged_domains)}"
  }
}
