# No account is asked: computed values are made up, or given here.
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

run "the_bridge_is_let_in_by_its_address_alone" {
  command = plan

  assert {
    condition     = scimbridge_firewall_rule.bridge.ip_ranges == toset(["192.0.2.7"])
    error_message = "The rule lets in more, or others, than the bridge."
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

run "a_bridge_elsewhere_is_refused" {
  command = plan

  variables {
    bridge_address = "198.51.100.7"
  }

  expect_failures = [var.bridge_address]
}
