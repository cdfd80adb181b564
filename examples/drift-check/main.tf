# A nightly check that nobody changed the account by hand and that the bridge
# works. check.sh runs it; its exit code says what was found.

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

# "report" leaves unmanaged rules and domains alone; the checks below name them.
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

check "nothing_unmanaged" {
  assert {
    condition = length(scimbridge_firewall_policy.this.unmanaged_rules) == 0
    error_message = format("Firewall rules were added by hand: %s",
    join(", ", keys(scimbridge_firewall_policy.this.unmanaged_rules)))
  }

  assert {
    condition = length(scimbridge_signup_domains.company.unmanaged_domains) == 0
    error_message = format("Sign-up domains were added by hand: %s",
    join(", ", scimbridge_signup_domains.company.unmanaged_domains))
  }
}

# A data source inside a check block is read again by an apply, so the plan
# would never be empty and its exit code always 2. Keep it outside.
data "scimbridge_bridge_status" "this" {
  url = var.bridge_url
}

check "bridge" {
  assert {
    condition = data.scimbridge_bridge_status.this.state != "unreachable"
    error_message = format("The bridge cannot be reached: %s",
    coalesce(data.scimbridge_bridge_status.this.reason, "no reason is known"))
  }

  # Null if neither the bridge nor the account could be asked.
  assert {
    condition     = length(coalesce(data.scimbridge_bridge_status.this.problems, [])) == 0
    error_message = "The bridge has problems: ${join(", ", coalesce(data.scimbridge_bridge_status.this.problems, []))}"
  }
}
