# The session for a container that was deployed for 1Password's SCIM bridge. The account's address and its admin token
# come from SCIMBRIDGE_ACCOUNT_URL and SCIMBRIDGE_ACCOUNT_TOKEN.
#
#   export TF_VAR_bearer_token="$(scim-bridge token)" # the identity provider needs it, too: keep it
#   terraform apply
#   terraform output -raw session | sudo install -o 999 -g 999 -m 0440 /dev/stdin scimsession
#   docker compose up --detach

terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}

provider "scimbridge" {}

variable "bearer_token" {
  description = "What the identity provider is set up with. Only the first apply needs it."
  type        = string
  ephemeral   = true
  sensitive   = true
  default     = null
}

resource "scimbridge_provisioning" "this" {
  manager_email   = "provision-manager@example.com"
  bearer_token_wo = var.bearer_token
}

output "session" {
  description = "Sealed: without the bearer token it opens nothing."
  value       = scimbridge_provisioning.this.session
  sensitive   = true
}
