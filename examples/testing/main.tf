# A small module, tested without an account: `terraform test` runs
# tests/*.tftest.hcl against a mock of the provider.

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
  }
}

variable "bridge_address" {
  type        = string
  description = "Address from which the bridge reaches the account."

  validation {
    condition     = provider::scimbridge::cidr_contains("192.0.2.0/24", var.bridge_address)
    error_message = "The bridge must run in the data centre's network, 192.0.2.0/24."
  }
}

variable "companies" {
  type        = map(string)
  description = "Mail domains of the group's companies."
}

resource "scimbridge_firewall_rule" "bridge" {
  ip_ranges   = [var.bridge_address]
  description = "the SCIM bridge"
}

resource "scimbridge_signup_domains" "companies" {
  domains = values(var.companies)
}

output "firewall_rule" {
  value = scimbridge_firewall_rule.bridge.id
}
