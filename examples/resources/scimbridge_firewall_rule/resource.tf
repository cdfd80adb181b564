# Allow the bridge's static address and the network that Terraform runs in.
resource "scimbridge_firewall_rule" "bridge" {
  ip_ranges   = ["203.0.113.7", "198.51.100.0/24"]
  description = "the SCIM bridge, and the operations network"
}

resource "scimbridge_firewall_rule" "guests" {
  action      = "deny"
  ip_ranges   = ["192.0.2.0/24"]
  description = "guest network"
}
