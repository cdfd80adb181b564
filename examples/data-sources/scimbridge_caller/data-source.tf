data "scimbridge_caller" "me" {}

resource "scimbridge_firewall_rule" "operations" {
  ip_ranges   = [data.scimbridge_caller.me.address]
  description = "the machine that runs Terraform"
}
