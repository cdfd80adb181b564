# By the account's id; the data source scimbridge_caller has it.
terraform import scimbridge_firewall_policy.this acc_5fz3kq2v
