variable "bearer_token" {
  type        = string
  ephemeral   = true
  default     = null # needed only to seal and to rotate
  description = "A token from `scim-bridge token`; give the identity provider the same one."
}

variable "server_token" {
  type        = string
  ephemeral   = true
  default     = null # needed only to seal and to rotate
  description = "The token that the SCIM server gave for this bridge."
}

resource "scimbridge_directory" "this" {
  url             = "https://scim.example.com/scim/v2"
  token_wo        = var.server_token
  bearer_token_wo = var.bearer_token
}
