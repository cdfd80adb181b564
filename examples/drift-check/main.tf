# What a pipeline looks at each night: that nobody changed the account by hand,
# and that the bridge works. check.sh runs it and says by its exit code what it found.

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

# "report" leaves what others manage, and the checks below name it.
resource "scimbridge_firewall_policy" "this" {
  default_action = "deny"
  on_unmanaged   = "report"

  rules = {
    bridge     = { ip_ranges = var.bridge_ranges, description = "the SCIM bridge" }
    operations = { ip_ranges = var.operations_ranges, description = "where Terraform runs" }
  }
}

resource "scimbridge_signup_domains" "company" {
  domains      = var.signup_domains
  on_unmanaged = "report"
}

check "nothing_beside" {
  assert {
    condition     = length(scimbridge_firewall_policy.this.unmanaged_rules) == 0
    error_message = "Firewall rules were added by hand: ${join(", ", keys(scimbridge_firewall_policy.this.unmanaged_rules))}"
  }

  assert {
    condition     = length(scimbridge_signup_domains.company.unmanaged_domains) == 0
    error_message = "Sign-up domains were added by hand: ${join(", ", scimbridge_signup_domains.company.unmanaged_domains)}"
  }
}

# Not inside the check: a data source there is read again by an apply, so the
# plan is never empty and its exit code is always 2.
data "scimbridge_bridge_status" "this" {
  url = var.bridge_url
}

check "bridge" {
  assert {
    condition     = data.scimbridge_bridge_status.this.state != "unreachable"
    error_message = "The bridge cannot be reached: ${coalesce(data.scimbridge_bridge_status.this.reason, "no reason is known")}"
  }

  # They are null when neither the bridge nor the account could be asked.
  assert {
    condition     = length(coalesce(data.scimbridge_bridge_status.this.problems, [])) == 0
    error_message = "The bridge has problems: ${join(", ", coalesce(data.scimbridge_bridge_status.this.problems, []))}"
  }
}
