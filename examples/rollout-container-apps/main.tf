# Bridges in an Azure Container App, and a wait until the account hears from all of them.
#
#   export SCIMBRIDGE_ACCOUNT_URL=https://account.example.com SCIMBRIDGE_ACCOUNT_TOKEN=...
#   (umask 077; scim-bridge token > bearer-token)         # the identity provider needs it too
#   az keyvault secret set --vault-name VAULT --name scim-bearer-token --file bearer-token
#   terraform apply
#
# To rotate the credentials, set a new token in the vault and apply again.

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.0" # reads no value of a secret that is in a vault
    }
  }
}

provider "azurerm" {
  features {}
}

data "azurerm_container_app_environment" "this" {
  name                = var.environment
  resource_group_name = var.resource_group
}

data "azurerm_key_vault" "this" {
  name                = var.vault
  resource_group_name = var.resource_group
}

# Read in each run, and kept in no plan and no state.
ephemeral "azurerm_key_vault_secret" "token" {
  name         = var.token_secret
  key_vault_id = data.azurerm_key_vault.this.id
}

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = trimspace(ephemeral.azurerm_key_vault_secret.token.value)
}

locals {
  name = "scim-bridge"

  # The environment's ingress has the certificate: the container gets plain HTTP, from the ingress alone. With an
  # address of https:// here, the bridge needs no --insecure-http. The ingress's addresses are not documented, so that
  # --trusted-proxies cannot name them: all clients count as one network.
  settings = {
    SCIMBRIDGE_PUBLIC_URL = coalesce(
      var.public_url, "https://${local.name}.${data.azurerm_container_app_environment.this.default_domain}",
    )
  }

  # Another image, session or setting is another revision, and starts new replicas.
  revision = substr(sha256(jsonencode([
    var.image, scimbridge_provisioning.this.session_fingerprint, local.settings,
  ])), 0, 12)
}

resource "azurerm_container_app" "bridge" {
  name                         = local.name
  resource_group_name          = var.resource_group
  container_app_environment_id = data.azurerm_container_app_environment.this.id
  revision_mode                = "Single"

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identity_id]
  }

  secret {
    name                = "bearer-token"
    identity            = var.identity_id
    key_vault_secret_id = "${data.azurerm_key_vault.this.vault_uri}secrets/${var.token_secret}"
  }

  ingress {
    external_enabled = true
    target_port      = 3002
    traffic_weight {
      latest_revision = true
      percentage      = 100
    }
  }

  template {
    min_replicas                     = var.bridges
    max_replicas                     = var.bridges
    termination_grace_period_seconds = 40 # to answer the requests under way

    volume {
      name         = "token"
      storage_type = "EmptyDir"
    }

    # A volume of type Secret has no argument for the mode of its files, and the bridge refuses a token that everybody
    # can read. This makes a file that only the bridge's user can read, and ends.
    init_container {
      name    = "token"
      image   = var.shell_image
      cpu     = 0.25
      memory  = "0.5Gi"
      command = ["sh", "-euc"]
      args = [join("\n", [
        "umask 077",
        "printf %s \"$TOKEN\" >/run/secrets/scim-bridge/bearer-token",
        "chown 65532:65532 /run/secrets/scim-bridge/bearer-token",
      ])]

      env {
        name        = "TOKEN"
        secret_name = "bearer-token"
      }
      volume_mounts {
        name = "token"
        path = "/run/secrets/scim-bridge"
      }
    }

    container {
      name   = "bridge"
      image  = var.image
      cpu    = 0.25
      memory = "0.5Gi"
      args   = ["serve"]

      dynamic "env" {
        for_each = merge(local.settings, {
          SCIMBRIDGE_REVISION = local.revision
          SCIMBRIDGE_SESSION  = scimbridge_provisioning.this.session # sealed
          # Without this and the init container, each replica starts sealed, until a request with the token reaches it.
          SCIMBRIDGE_UNSEAL_TOKEN_FILE = "/run/secrets/scim-bridge/bearer-token"
        })
        content {
          name  = env.key
          value = env.value
        }
      }

      # Neither fails while the bridge is sealed or the account is away: a restart would cure nothing.
      liveness_probe {
        transport = "HTTP"
        port      = 3002
        path      = "/ping"
      }
      readiness_probe {
        transport = "HTTP"
        port      = 3002
        path      = "/ready"
      }

      volume_mounts {
        name = "token"
        path = "/run/secrets/scim-bridge"
      }
    }
  }
}

resource "scimbridge_rollout" "bridges" {
  revision = local.revision
  bridges  = var.bridges

  depends_on = [azurerm_container_app.bridge]
}

# What the account sees is the address of the NAT gateway of the environment's subnet, known once a bridge has tried to
# sign in. If the gateway is managed here, write its address instead: then a new one needs no second apply. Without a
# NAT gateway the addresses may change, and belong to other customers too.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the SCIM bridges on Container Apps"
}
