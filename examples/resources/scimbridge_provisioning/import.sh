# By the integration's id. The sealed session comes with it, and nothing is rotated.
terraform import scimbridge_provisioning.this "$INTEGRATION_ID"
