# An account, provisioned from an identity provider by a bridge on this machine.
#
#   (umask 077; scim-bridge account init --database sqlite:account.db --name Example > admin-token)
#   scim-bridge account serve --database sqlite:account.db &
#   export SCIMBRIDGE_ACCOUNT_TOKEN="$(cat admin-token)"
#   terraform init                                        # skip it with dev_overrides
#   (umask 077; scim-bridge token > bearer-token)         # the identity provider needs it too
#   TF_VAR_bearer_token="$(cat bearer-token)" terraform apply
#   terraform plan                                        # needs no token
#
# To rotate the credentials, make a new token and apply again.

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

# The address that the account sees for this machine, where the bridge runs too.
data "scimbridge_caller" "this" {}

resource "scimbridge_firewall_rule" "bridge" {
  ip_ranges   = [data.scimbridge_caller.this.address]
  description = "this machine: the SCIM bridge and Terraform"
}

# A person whose address changes to one of these domains gets the confirmation e-mail.
resource "scimbridge_signup_domain" "company" {
  for_each = var.signup_domains
  domain   = each.value
}

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = var.bearer_token
}

resource "scimbridge_deployment" "bridge" {
  name            = "quickstart"
  session         = scimbridge_provisioning.this.session
  unseal_token_wo = var.bearer_token

  process = {
    listen   = var.listen
    data_dir = coalesce(var.data_dir, abspath("${path.root}/.bridge"))
  }

  # The bridge cannot sign in before the firewall allows its address.
  depends_on = [scimbridge_firewall_rule.bridge]
}
