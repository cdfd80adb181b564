# Bridges in a Kubernetes cluster, two at a time.
#
#   export SCIMBRIDGE_ACCOUNT_URL=https://account.example.com SCIMBRIDGE_ACCOUNT_TOKEN=...
#   export KUBE_CONFIG_PATH=~/.kube/config
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

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = var.bearer_token
}

resource "scimbridge_deployment" "bridge" {
  name            = "SCIM bridge"
  session         = scimbridge_provisioning.this.session
  unseal          = "stored" # a pod that Kubernetes replaces unseals itself
  unseal_token_wo = var.bearer_token

  # The ingress has the certificate.
  settings = {
    public_url      = var.public_url
    trusted_proxies = var.proxies
  }

  kubernetes = {
    namespace      = var.namespace
    name           = "scim-bridge"
    image          = var.image
    replicas       = 2
    network_policy = true
  }
}

# The address that the account sees: the NAT's, behind which the cluster is.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = [scimbridge_deployment.bridge.egress_address]
  description = "the SCIM bridges in Kubernetes"
}

output "scim_url" {
  value       = scimbridge_deployment.bridge.scim_url
  description = "What the identity provider is given, beside the token."
}
