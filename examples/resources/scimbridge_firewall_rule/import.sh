# By the rule's id, or by its exact set of values in any order.
terraform import scimbridge_firewall_rule.bridge "203.0.113.7,198.51.100.0/24"
