# By the integration's id. The sealed session comes with it, and nothing is rotated.
# overlap, bearer_token_wo_version and deletion_protection are known to Terraform alone: the first plan
# after an import shows them as an update in place, which changes nothing at the account.
terraform import scimbridge_provisioning.this "$INTEGRATION_ID"
