# No account is asked. Computed values are mocked, or given here.
mock_provider "scimbridge" {
  mock_resource "scimbridge_firewall_rule" {
    defaults = {
      id = "fwr_1"
    }
  }
}

variables {
  bridge_address = "192.0.2.7"
  companies      = { parent = "example.com", child = "example.org" }
}

run "the_rule_allows_only_the_bridge" {
  command = plan

  assert {
    condition     = scimbridge_firewall_rule.bridge.ip_ranges == toset(["192.0.2.7"])
    error_message = "The rule must allow the bridge's address and nothing else."
  }
}

run "every_company_may_sign_up" {
  assert {
    condition     = scimbridge_signup_domains.companies.domains == toset(["example.com", "example.org"])
    error_message = "A company's domain is missing."
  }

  assert {
    condition     = output.firewall_rule == "fwr_1"
    error_message = "The output must be the rule's id."
  }
}

run "an_address_outside_the_network_is_refused" {
  command = plan

  variables {
    bridge_address = "198.51.100.7"
  }

  expect_failures = [var.bridge_address]
}
