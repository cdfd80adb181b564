# By the account's id, which the data source scimbridge_caller tells.
terraform import scimbridge_signup_domains.company acc_5fz3kq2v
