# Bridges in a Kubernetes Deployment, and a wait until the account hears from all of them.
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
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.2.1" # creates a secret with data_wo without an error
    }
  }
}

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = var.bearer_token
}

locals {
  labels = { app = "scim-bridge" }

  # The ingress has the certificate: the bridge serves plain HTTP to it and to no other machine. With an address of
  # https:// here, the bridge needs no --insecure-http.
  settings = {
    SCIMBRIDGE_PUBLIC_URL      = var.public_url
    SCIMBRIDGE_TRUSTED_PROXIES = join(",", var.proxies)
  }

  # Another image, session or setting is another revision, and rolls the pods.
  revision = substr(sha256(jsonencode([
    var.image, scimbridge_provisioning.this.session_fingerprint, local.settings,
  ])), 0, 12)
}

# The token is in no plan and no state. It is written when the session is another one, which needs the token anyway.
resource "kubernetes_secret_v1" "bridge" {
  metadata {
    name      = "scim-bridge"
    namespace = var.namespace
  }

  data_wo = {
    session        = scimbridge_provisioning.this.session
    "bearer-token" = var.bearer_token
  }
  data_wo_revision = parseint(substr(sha256(scimbridge_provisioning.this.session_fingerprint), 0, 7), 16) + 1
}

resource "kubernetes_deployment_v1" "bridge" {
  metadata {
    name      = "scim-bridge"
    namespace = var.namespace
  }

  spec {
    replicas = var.bridges

    selector {
      match_labels = local.labels
    }

    template {
      metadata {
        labels = local.labels
      }

      spec {
        automount_service_account_token  = false
        termination_grace_period_seconds = 40 # to answer the requests under way

        security_context {
          run_as_non_root = true
          run_as_user     = "65532"
          run_as_group    = "65532"
          fs_group        = "65532"
          seccomp_profile {
            type = "RuntimeDefault"
          }
        }

        container {
          name  = "scim-bridge"
          image = var.image
          args  = ["serve"]

          dynamic "env" {
            for_each = merge(local.settings, {
              SCIMBRIDGE_REVISION = local.revision
              SCIMBRIDGE_SESSION  = "/run/secrets/scim-bridge/session"
              # Without this, each pod starts sealed, until a request with the token reaches it.
              SCIMBRIDGE_UNSEAL_TOKEN_FILE = "/run/secrets/scim-bridge/bearer-token"
            })
            content {
              name  = env.key
              value = env.value
            }
          }

          port {
            container_port = 3002
          }

          # Neither fails while the bridge is sealed or the account is away: a restart would cure nothing.
          liveness_probe {
            http_get {
              path = "/ping"
              port = "3002"
            }
          }
          readiness_probe {
            http_get {
              path = "/ready"
              port = "3002"
            }
            period_seconds = 5
          }

          security_context {
            allow_privilege_escalation = false
            read_only_root_filesystem  = true
            capabilities {
              drop = ["ALL"]
            }
          }

          volume_mount {
            name       = "secret"
            mount_path = "/run/secrets/scim-bridge"
            read_only  = true
          }
          volume_mount {
            name       = "data"
            mount_path = "/var/lib/scim-bridge"
          }
        }

        volume {
          name = "secret"
          secret {
            secret_name  = kubernetes_secret_v1.bridge.metadata[0].name
            default_mode = "0440" # the bridge refuses a token that everybody can read
          }
        }
        volume {
          name = "data"
          empty_dir {}
        }
      }
    }
  }
}

resource "kubernetes_service_v1" "bridge" {
  metadata {
    name      = "scim-bridge"
    namespace = var.namespace
  }

  spec {
    selector = local.labels
    port {
      port        = 80
      target_port = "3002"
    }
  }
}

# A node that is drained takes one bridge at a time.
resource "kubernetes_pod_disruption_budget_v1" "bridge" {
  metadata {
    name      = "scim-bridge"
    namespace = var.namespace
  }

  spec {
    max_unavailable = "1"
    selector {
      match_labels = local.labels
    }
  }
}

resource "scimbridge_rollout" "bridges" {
  revision = local.revision
  bridges  = var.bridges

  depends_on = [kubernetes_deployment_v1.bridge]
}

# What the account sees is the address behind which the cluster's NAT hides the pods. It is known once a bridge has
# tried to sign in. If the NAT has fixed addresses, write those: then a new node pool needs no apply.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the SCIM bridges in Kubernetes"
}
