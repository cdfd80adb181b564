# A bridge under Docker Compose on this machine, and a wait until the account hears from it.
#
#   export SCIMBRIDGE_ACCOUNT_URL=http://127.0.0.1:8600 SCIMBRIDGE_ACCOUNT_TOKEN=...
#   (umask 077; scim-bridge token > bearer-token)         # the identity provider needs it too
#   sudo install -D -o 65532 -g 65532 -m 0400 bearer-token secrets/bearer-token  # for the image's user
#   TF_VAR_bearer_token="$(cat bearer-token)" terraform apply
#   terraform plan                                        # needs no token
#
# To rotate the credentials, make a new token, install it and apply again. `docker compose down` ends the bridge.

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

locals {
  # Another image, session or setting is another revision, and replaces the container.
  revision = substr(sha256(jsonencode([
    var.image, scimbridge_provisioning.this.session_fingerprint, var.public_url,
    filesha256("${path.module}/compose.yaml"),
  ])), 0, 12)
}

resource "terraform_data" "bridge" {
  triggers_replace = local.revision

  # Compose reads .env, by hand too.
  provisioner "local-exec" {
    working_dir = path.module
    command     = <<-EOT
      set -eu
      umask 077
      printf '%s\n' "IMAGE=$IMAGE" "PUBLIC_URL=$PUBLIC_URL" "REVISION=$REVISION" "SESSION=$SESSION" >.env
      docker compose up --detach
    EOT
    environment = {
      IMAGE      = var.image
      PUBLIC_URL = var.public_url
      REVISION   = local.revision
      SESSION    = nonsensitive(scimbridge_provisioning.this.session) # sealed; else Terraform hides what docker says
    }
  }
}

resource "scimbridge_rollout" "bridge" {
  revision = local.revision

  depends_on = [terraform_data.bridge]
}

# The address of this machine, or of the NAT in front of it, as the account sees it. It is known once the bridge has
# tried to sign in. If it is fixed, write it instead.
resource "scimbridge_firewall_rule" "bridge" {
  ip_ranges   = scimbridge_rollout.bridge.egress_addresses
  description = "the SCIM bridge under Compose"
}
