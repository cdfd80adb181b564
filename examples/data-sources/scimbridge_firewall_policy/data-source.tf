data "scimbridge_firewall_policy" "present" {}

output "default_action" {
  value = data.scimbridge_firewall_policy.present.default_action
}
