# terraform query -generate-config-out=rules.tf
list "scimbridge_firewall_rule" "denied" {
  provider = scimbridge
  limit    = 1000 # 100 unless set

  config {
    action = "deny"
  }
}
