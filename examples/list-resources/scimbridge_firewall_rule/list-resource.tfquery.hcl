# terraform query -generate-config-out=rules.tf
list "scimbridge_firewall_rule" "denied" {
  provider = scimbridge

  config {
    action = "deny"
  }
}
