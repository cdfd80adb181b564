# Three bridges before the account of manifests/, and what the account is to allow. The guide "In production" leads
# through all of it.
#
#   export SCIMBRIDGE_ACCOUNT_URL=https://account.example.com SCIMBRIDGE_ACCOUNT_TOKEN=...
#   export KUBE_CONFIG_PATH=~/.kube/config
#   terraform apply
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

resource "scimbridge_deployment" "bridge" {
  name            = "SCIM bridge"
  session         = scimbridge_provisioning.this.session
  unseal          = "stored" # a pod that Kubernetes replaces unseals itself
  unseal_token_wo = var.bearer_token

  settings = {
    public_url                  = var.public_url                  # the Ingress has the certificate
    account_url                 = "https://account.scim.svc:8600" # within the cluster
    trusted_proxies             = [var.pod_network]
    log_format                  = "json"
    monitoring_token_wo         = var.monitoring_token
    monitoring_token_wo_version = 1
  }

  kubernetes = {
    namespace      = "scim"
    name           = "scim-bridge"
    image          = var.image
    replicas       = 3
    network_policy = true
    pod            = { ca_certificate_pem = file(var.account_ca_file) }
  }

  # The bridges cannot sign in before the firewall allows them.
  depends_on = [scimbridge_firewall_policy.this]
}

# Bridges and account are in one cluster, so the account sees the addresses of pods.
resource "scimbridge_firewall_policy" "this" {
  default_action = "deny"

  rules = {
    bridges = {
      ip_ranges   = [var.pod_network]
      description = "the SCIM bridges in Kubernetes"
    }
    offices = {
      ip_ranges   = var.offices
      description = "people and Terraform"
    }
  }
}

resource "scimbridge_signup_domains" "company" {
  domains = var.signup_domains
}

output "scim_url" {
  value       = scimbridge_deployment.bridge.scim_url
  description = "What the identity provider is given, beside the token."
}
