variable "image" {
  type        = string
  description = "What the platform runs, by digest."
}

resource "scimbridge_provisioning" "this" {
  manager_email = "provision-manager@example.com"
}

locals {
  # Changes with image and session. The workload's container is started with
  # `serve --revision <this>`.
  revision = substr(sha256("${var.image} ${scimbridge_provisioning.this.session_fingerprint}"), 0, 12)
}

# An apply waits here until three bridges of the revision have signed in.
resource "scimbridge_rollout" "bridges" {
  revision = local.revision
  bridges  = 3

  # depends_on = [kubernetes_deployment_v1.bridge]
}

# Their addresses are known once they have tried to sign in.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the SCIM bridges"
}
