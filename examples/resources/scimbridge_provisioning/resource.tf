variable "bearer_token" {
  type        = string
  ephemeral   = true
  default     = null # needed only to activate and to rotate
  description = "A token from `scim-bridge token`; give the identity provider the same one."
}

resource "scimbridge_provisioning" "this" {
  manager_email   = "provision-manager@example.com"
  idp             = "Okta"
  bearer_token_wo = var.bearer_token
}
