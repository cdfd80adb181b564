package main

import "fmt"

// baseline is the resource that all others are held against.
const baseline = "terraform_data"

// A resource is a way to have many objects. Another description, or the like
// of it, is a change of one of them.
type resource struct {
	name   string
	config func(n int, description string) string
}

var resources = []resource{
	{baseline, func(n int, description string) string {
		return fmt.Sprintf(`
resource "terraform_data" "many" {
  count = %d
  input = {
    ranges      = ["10.${floor(count.index / 250)}.${count.index %% 250}.0/24"]
    description = count.index == 7 ? %q : ""
  }
}
`, n, description)
	}},
	{"firewall_rule", func(n int, description string) string {
		return fmt.Sprintf(`
resource "scimbridge_firewall_rule" "many" {
  count       = %d
  ip_ranges   = ["10.${floor(count.index / 250)}.${count.index %% 250}.0/24"]
  description = count.index == 7 ? %q : ""
}
`, n, description)
	}},
	{"firewall_policy", func(n int, description string) string {
		return fmt.Sprintf(`
resource "scimbridge_firewall_policy" "all" {
  default_action = "allow"
  rules = { for i in range(%d) : "rule ${i}" => {
    ip_ranges   = ["10.${floor(i / 250)}.${i %% 250}.0/24"]
    description = i == 7 ? %q : ""
  } }
}
`, n, description)
	}},
	{"signup_domain", func(n int, description string) string {
		return fmt.Sprintf(`
resource "scimbridge_signup_domain" "many" {
  count  = %d
  domain = "d${count.index}${count.index == 7 ? %q : ""}.example"
}
`, n, description)
	}},
	{"signup_domains", func(n int, description string) string {
		return fmt.Sprintf(`
resource "scimbridge_signup_domains" "all" {
  domains = [for i in range(%d) : "d${i}${i == 7 ? %q : ""}.example"]
}
`, n, description)
	}},
}
