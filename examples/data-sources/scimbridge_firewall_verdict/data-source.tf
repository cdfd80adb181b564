check "office_gets_in" {
  data "scimbridge_firewall_verdict" "office" {
    address = "198.51.100.7"
  }

  assert {
    condition     = data.scimbridge_firewall_verdict.office.passes
    error_message = "The firewall denies the office's address."
  }
}
