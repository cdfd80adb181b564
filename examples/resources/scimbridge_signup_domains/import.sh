# By the account's id; the data source scimbridge_caller has it.
terraform import scimbridge_signup_domains.company acc_5fz3kq2v
