locals {
  token_version = 1 # raise it to rotate the token
}

ephemeral "scimbridge_bearer_token" "scim" {}

resource "scimbridge_provisioning" "this" {
  manager_email           = "provision-manager@example.com"
  bearer_token_wo         = ephemeral.scimbridge_bearer_token.scim.token
  bearer_token_wo_version = local.token_version
}

# Keep the token where people find it: the identity provider needs it.
resource "aws_secretsmanager_secret_version" "scim" {
  secret_id                = "scim/bearer-token"
  secret_string_wo         = ephemeral.scimbridge_bearer_token.scim.token
  secret_string_wo_version = local.token_version
}
