variable "bearer_token" {
  type      = string
  ephemeral = true
  default   = null # needed to seal or unseal a session
}

resource "scimbridge_provisioning" "this" {
  manager_email   = "provision-manager@example.com"
  bearer_token_wo = var.bearer_token
}

resource "scimbridge_firewall_rule" "bridge" {
  ip_ranges   = ["192.0.2.7"]
  description = "the SCIM bridge"
}

resource "scimbridge_deployment" "bridge" {
  name            = "office"
  session         = scimbridge_provisioning.this.session
  unseal_token_wo = var.bearer_token

  process = {
    listen   = "127.0.0.1:3002"
    data_dir = "/var/lib/scim-bridge"
  }

  settings = {
    public_url = "https://scim.example.com"
  }

  # The bridge cannot sign in before the firewall allows its address.
  depends_on = [scimbridge_firewall_rule.bridge]
}
