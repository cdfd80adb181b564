# A bridge as a container, in the network of a proxy with HTTPS. In it the proxy reaches the
# bridge at http://bridge:3002, and a bridge is replaced without a gap.

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
  }
}

provider "scimbridge" {
  account_url = "https://account.example.com"

  docker {
    host = "unix:///var/run/docker.sock"
  }
}

variable "bearer_token" {
  type      = string
  ephemeral = true
  sensitive = true
}

resource "scimbridge_provisioning" "this" {
  manager_email   = "provision-manager@example.com"
  bearer_token_wo = var.bearer_token
}

resource "scimbridge_deployment" "bridge" {
  name            = "office"
  session         = scimbridge_provisioning.this.session
  unseal          = "stored"
  unseal_token_wo = var.bearer_token

  docker = {
    name    = "bridge"
    network = "proxy"
  }

  settings = {
    public_url = "https://scim.example.com"
  }
}
