# By the integration's id. The sealed session is imported with it, and nothing is rotated.
# The account does not store overlap, bearer_token_wo_version and deletion_protection: the first plan
# after an import shows them as an update in place, which changes nothing in the account.
terraform import scimbridge_provisioning.this "$INTEGRATION_ID"
