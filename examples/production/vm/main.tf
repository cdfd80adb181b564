# Provisioning for the account and the bridge of this machine, and what the account is to allow. The guide "In
# production" leads through all of it.
#
#   export SCIMBRIDGE_ACCOUNT_URL=http://127.0.0.1:8600 SCIMBRIDGE_ACCOUNT_TOKEN=...
#   TF_VAR_bearer_token=... terraform apply
#   terraform plan                                        # needs no token of a bridge

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
  }
}

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = var.bearer_token
}

resource "scimbridge_firewall_policy" "this" {
  default_action = "deny"

  rules = {
    machine = {
      ip_ranges   = ["127.0.0.1"]
      description = "the SCIM bridge, and Terraform on its machine"
    }
    offices = {
      ip_ranges   = var.offices
      description = "people and Prometheus"
    }
  }
}

resource "scimbridge_signup_domains" "company" {
  domains = var.signup_domains
}

output "session" {
  value       = scimbridge_provisioning.this.session
  sensitive   = true
  description = "The bridge's sealed session, which opens under the bearer token alone."
}
