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

  # A bridge that the firewall does not let in could not sign in.
  depends_on = [scimbridge_firewall_rule.bridge]
}
