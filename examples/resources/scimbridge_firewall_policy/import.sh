# By the account's id, which the data source scimbridge_caller tells.
terraform import scimbridge_firewall_policy.this acc_5fz3kq2v
