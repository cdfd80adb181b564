variable "bearer_token" {
  type        = string
  ephemeral   = true
  default     = null # needed to activate and to rotate alone
  description = "As scim-bridge token makes it; the identity provider is given the same."
}

resource "scimbridge_provisioning" "this" {
  manager_email   = "provision-manager@example.com"
  idp             = "Okta"
  bearer_token_wo = var.bearer_token
}
