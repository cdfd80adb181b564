# Bridges in a Cloud Run service, and a wait until the account hears from all of them.
#
#   export SCIMBRIDGE_ACCOUNT_URL=https://account.example.com SCIMBRIDGE_ACCOUNT_TOKEN=...
#   (umask 077; scim-bridge token > bearer-token)         # the identity provider needs it too
#   gcloud secrets create scim-bearer-token --data-file=bearer-token
#   terraform apply
#
# To rotate the credentials, add a version with a new token to the secret and apply again.

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
    google = {
      source  = "hashicorp/google"
      version = ">= 7.0"
    }
  }
}

# Project and region are those of the provider: GOOGLE_PROJECT, GOOGLE_REGION.
data "google_client_config" "this" {}

data "google_project" "this" {}

# Read in each run, and kept in no plan and no state.
ephemeral "google_secret_manager_secret_version" "token" {
  secret  = var.token_secret
  version = "latest"
}

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = trimspace(ephemeral.google_secret_manager_secret_version.token.secret_data)
}

locals {
  name   = "scim-bridge"
  region = data.google_client_config.this.region

  # Cloud Run has the certificate: the container gets plain HTTP, from Google's front end alone. With an address of
  # https:// here, the bridge needs no --insecure-http. The front end's addresses are not documented, so that
  # --trusted-proxies cannot name them: all clients count as one network.
  settings = {
    SCIMBRIDGE_PUBLIC_URL = coalesce(
      var.public_url, "https://${local.name}-${data.google_project.this.number}.${local.region}.run.app",
    )
  }

  # Another image, session or setting is another revision, and starts new instances.
  revision = substr(sha256(jsonencode([
    var.image, scimbridge_provisioning.this.session_fingerprint, local.settings,
  ])), 0, 12)
}

resource "google_cloud_run_v2_service" "bridge" {
  name     = local.name
  location = local.region

  # The identity provider has the bridge's token and no identity of Google's, which would take the same header.
  invoker_iam_disabled = true

  template {
    service_account = var.service_account

    # Here, and with one container, a secret's file belongs to the container's user. Elsewhere it is root's.
    execution_environment = "EXECUTION_ENVIRONMENT_GEN1"

    # As many as the wait below expects: an instance that is not there does not confirm people either.
    scaling {
      min_instance_count = var.bridges
      max_instance_count = var.bridges
    }

    vpc_access {
      egress = "ALL_TRAFFIC"
      network_interfaces {
        subnetwork = var.subnetwork
      }
    }

    containers {
      image = var.image
      args  = ["serve"]

      dynamic "env" {
        for_each = merge(local.settings, {
          SCIMBRIDGE_REVISION = local.revision
          SCIMBRIDGE_SESSION  = scimbridge_provisioning.this.session # sealed
          # Without this, each instance starts sealed, until a request with the token reaches it.
          SCIMBRIDGE_UNSEAL_TOKEN_FILE = "/run/secrets/scim-bridge/bearer-token"
        })
        content {
          name  = env.key
          value = env.value
        }
      }

      ports {
        container_port = 3002
      }

      # The bridge works between requests, too: it confirms people, and tells the account that it runs.
      resources {
        cpu_idle = false
      }

      # Neither fails while the bridge is sealed or the account is away: a restart would cure nothing.
      startup_probe {
        http_get {
          path = "/ready"
        }
      }
      liveness_probe {
        http_get {
          path = "/ping"
        }
      }

      volume_mounts {
        name       = "token"
        mount_path = "/run/secrets/scim-bridge"
      }
    }

    volumes {
      name = "token"
      secret {
        secret = var.token_secret
        items {
          path    = "bearer-token"
          version = "latest"
          mode    = 256 # 0400: the bridge refuses a token that everybody can read
        }
      }
    }
  }
}

resource "scimbridge_rollout" "bridges" {
  revision = local.revision
  bridges  = var.bridges

  depends_on = [google_cloud_run_v2_service.bridge]
}

# What the account sees is the address of the subnetwork's Cloud NAT, known once a bridge has tried to sign in. If the
# NAT is managed here, give it fixed addresses and write those instead: then a new one needs no second apply. Without
# `vpc_access` the addresses are Google's, change at any time, and belong to other customers too.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the SCIM bridges on Cloud Run"
}
