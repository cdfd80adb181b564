# Manages an existing account's firewall and sign-up domains without changing
# them. Rules and domains that are listed here and exist in the account become
# managed. The others are left alone and reported.
#
#   export SCIMBRIDGE_ACCOUNT_TOKEN=...     # from `scim-bridge account token create`
#   terraform plan                          # shows the imports, and what is not listed here yet
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

# The id of the policy and of the list of domains is the account's id.
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

# When these checks pass, everything is listed here. Then set on_unmanaged = "remove":
# the plan shows the removal of what is added by hand.
check "everything_is_listed" {
  assert {
    condition     = length(scimbridge_firewall_policy.this.unmanaged_rules) == 0
    error_message = "Rules that are not listed here yet: ${jsonencode(scimbridge_firewall_policy.this.unmanaged_rules)}"
  }

  assert {
    condition = length(scimbridge_signup_domains.company.unmanaged_domains) == 0
    error_message = format("Domains that are not listed here yet: %s",
    join(", ", scimbridge_signup_domains.company.unmanaged_domains))
  }
}
