import {
  to = scimbridge_firewall_rule.bridge
  identity = {
    id = "rule_9XK2"
  }
}
