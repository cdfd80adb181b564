# The whole policy, written in one transaction. A plan that would shut out the
# bridge or Terraform fails.
resource "scimbridge_firewall_policy" "this" {
  default_action = "deny"

  rules = {
    bridge = {
      ip_ranges   = ["192.0.2.7"]
      description = "the SCIM bridge"
    }
    offices = {
      ip_ranges   = ["198.51.100.0/24", "2001:db8:12::/48"]
      description = "where people work, and Terraform runs"
    }
    clouds = {
      action        = "deny"
      anonymous_ips = ["cloud_provider", "tor"]
    }
  }
}
