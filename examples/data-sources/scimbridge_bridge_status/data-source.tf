check "bridge" {
  data "scimbridge_bridge_status" "office" {
    url = "https://scim.example.com"
  }

  assert {
    condition     = data.scimbridge_bridge_status.office.problems == tolist([])
    error_message = "The bridge is ${data.scimbridge_bridge_status.office.state}; see its status page."
  }
}
